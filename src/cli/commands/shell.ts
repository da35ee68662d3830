import { Command } from 'commander'
import { ConfigError } from '../../core/errors.ts'

export function shellCommand(): Command {
  return new Command('shell')
    .argument(
      '[id]',
      'a running job: its id or the beginning of it, ID[3] for a task of it, or the scheduler\u2019s id',
    )
    .argument('[command...]', 'what to run there instead of a shell; put -- before it')
    .option('--profile <name>', 'the profile whose machine, or whose job, that is')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
Without an id: the login shell of the profile's host. With one: a shell in the job's folder, on the node that runs it
(on Slurm a step of the job: srun --overlap).

Examples:
  farcall shell --profile hpc
  farcall shell fqp3ikcfdfl4z4
  farcall shell fqp3 -- nvidia-smi

The exit code is that of the shell or the command.`,
    )
    .action(shell)
}

async function shell(id: string | undefined, words: string[], options: { profile?: string }): Promise<void> {
  const command = words[0] === '--' ? words.slice(1) : words
  process.exitCode =
    id === undefined ? await onHost(options.profile) : await besideJobOf(id, command, options.profile)
}

async function onHost(profileName: string | undefined): Promise<number> {
  const [{ openSite }, { settingsFor }] = await Promise.all([
    import('../../executor/reach.ts'),
    import('../../client/options/settings.ts'),
  ])
  const { profile } = await settingsFor(profileName)
  const { transport } = openSite(profile)
  try {
    if (!transport.interactive) throw noTerminal(transport.name)
    return await transport.interactive()
  } finally {
    await transport[Symbol.asyncDispose]()
  }
}

async function besideJobOf(
  id: string,
  command: readonly string[],
  profile: string | undefined,
): Promise<number> {
  const [{ openRunningJob }, { besideJob }] = await Promise.all([
    import('../running-job.ts'),
    import('../../executor/reach.ts'),
  ])
  const { job, site, running } = await openRunningJob(id, profile)
  try {
    if (!site.transport.interactive) throw noTerminal(site.transport.name)
    const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true
    if (terminal && command.length === 0)
      process.stderr.write(`job ${job.id} (${job.name}) runs on ${running.node}\n`)
    return await site.transport.interactive(besideJob(site, running, job.id, command, terminal))
  } finally {
    await site.transport[Symbol.asyncDispose]()
  }
}

function noTerminal(name: string): ConfigError {
  return new ConfigError('OPTION_INVALID', `${name}: this transport has no terminal`, {
    hint: "use a profile with transport: 'ssh'",
  })
}
