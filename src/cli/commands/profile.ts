import { Command } from 'commander'

const collect = (value: string, all: string[]) => [...all, value]

export function profileCommand(): Command {
  return new Command('profile')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(addCommand())
    .addCommand(updateCommand())
    .addCommand(useCommand())
    .addCommand(removeCommand())
    .addCommand(testCommand())
    .addCommand(importCommand())
}

function listCommand(): Command {
  return new Command('list')
    .description('all profiles, where each leads and which file says so')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  farcall profile list\n  farcall profile list --json | jq -r .[].name',
    )
    .action(async (options) => (await import('../profile/show.ts')).listProfiles(options))
}

function showCommand(): Command {
  return new Command('show')
    .description('what a profile says, and where each value comes from')
    .argument('[name]', 'default: the one that calls go to')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  farcall profile show\n  farcall profile show hpc --json')
    .action(async (name, options) => (await import('../profile/show.ts')).showProfile(name, options))
}

function addCommand(): Command {
  return new Command('add')
    .description('add a profile; `farcall setup HOST` does that with key and login')
    .argument('<name>', 'what you call it')
    .argument('[settings...]', 'KEY=VALUE, like resources.partition=short')
    .option(
      '--scheduler <name>',
      "'slurm', 'pbs', 'sge', 'kubernetes', 'direct' …; default: what the place has",
    )
    .option('--host <host>', 'its name, an alias of ~/.ssh/config, or user@host; none: this machine')
    .option('--user <name>', 'your login name there')
    .option('--port <port>', 'the port of its SSH server')
    .option('--workdir <path>', 'the work folder there; default: $HOME/.farcall')
    .option('--project', "to the project's configuration; default: to your own")
    .option('--default', 'make it the default profile, where there is none')
    .option('--dry-run', 'show the change, and make none')
    .option('--json', 'print JSON: { file, changes, written }')
    .addHelpText(
      'after',
      `
Examples:
  farcall profile add hpc --host login.hpc.edu --scheduler slurm resources.partition=short
  farcall profile add here --scheduler direct concurrency=4 --project`,
    )
    .action(async (name, settings, options) =>
      (await import('../profile/write.ts')).addProfile(name, settings, options),
    )
}

function updateCommand(): Command {
  return new Command('update')
    .description('change settings of a profile, in the file that has it')
    .argument('<name>')
    .argument('[settings...]', 'KEY=VALUE')
    .option('--unset <key>', 'take a setting out; may be repeated', collect, [])
    .option('--dry-run', 'show the change, and make none')
    .option('--json', 'print JSON: { file, changes, written }')
    .addHelpText(
      'after',
      `
Values are YAML: lists are [a, b]; text needs no quotes.

Examples:
  farcall profile update hpc resources.time=4h environment.modules='[gcc, cuda]'
  farcall profile update hpc --unset resources.account`,
    )
    .action(async (name, settings, options) =>
      (await import('../profile/write.ts')).updateProfile(name, settings, options),
    )
}

function useCommand(): Command {
  return new Command('use')
    .description('make a profile the default one')
    .argument('<name>')
    .option('--project', "in the project's configuration; default: in your own")
    .option('--dry-run', 'show the change, and make none')
    .option('--json', 'print JSON: { file, changes, written }')
    .addHelpText('after', '\nExamples:\n  farcall profile use hpc\n  farcall profile use hpc --project')
    .action(async (name, options) => (await import('../profile/write.ts')).useProfile(name, options))
}

function removeCommand(): Command {
  return new Command('remove')
    .description('take a profile out of the file that has it; jobs and files there stay')
    .argument('<name>')
    .option('--dry-run', 'show the change, and make none')
    .option('--json', 'print JSON: { file, changes, written }')
    .addHelpText('after', '\nExamples:\n  farcall profile remove old --dry-run')
    .action(async (name, options) => (await import('../profile/write.ts')).removeProfile(name, options))
}

function testCommand(): Command {
  return new Command('test')
    .description('whether the place can be reached and used: `farcall doctor` without a job')
    .argument('[name]', 'default: the one that calls go to')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  farcall profile test hpc')
    .action(async (name, options) =>
      (await import('./doctor.ts')).doctor(name, { ...options, job: false, wait: '2m' }),
    )
}

function importCommand(): Command {
  return new Command('import')
    .description('take profiles over from ~/.ssh/config, srunx or Clustrix')
    .argument('<from>', 'ssh, srunx or clustrix')
    .argument('[what...]', 'of ssh: hosts; else the file, where it is not at its usual place')
    .option('--all', 'of ssh: every host that it names')
    .option('--ssh-config <file>', 'another file than ~/.ssh/config')
    .option('--project', "to the project's configuration; default: to your own")
    .option('--dry-run', 'show the change, and make none')
    .option('--json', 'print JSON: { file, changes, written }')
    .addHelpText(
      'after',
      `
What another program says and farcall has not, is told. A profile whose name is there already is left as it is. Passwords
are never taken over.

Examples:
  farcall profile import ssh                 the hosts that there are
  farcall profile import ssh hpc gpu
  farcall profile import srunx
  farcall profile import clustrix ./clustrix.yml --dry-run`,
    )
    .action(async (from, what, options) =>
      (await import('../profile/import.ts')).importProfiles(from, what, options),
    )
}
