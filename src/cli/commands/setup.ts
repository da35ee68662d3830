import { Command } from 'commander'
import { ConfigError } from '../../core/errors.ts'

interface Options {
  user?: string
  port?: string
  name?: string
  key?: string
  hostKey?: string
  scheduler?: string
  workdir?: string
  sshConfig?: string
  passwordEnv?: string
  entry: boolean
  project?: true
  default?: true
  yes?: true
  doctor: boolean
  job: boolean
}

export function setupCommand(): Command {
  return new Command('setup')
    .argument('<host>', 'its name, an alias of ~/.ssh/config, or user@host:port')
    .option('--user <name>', 'your login name there')
    .option('--port <port>', 'the port of its SSH server')
    .option('--name <name>', 'what you call it: the Host entry and the profile; default: made from the host')
    .option('--key <file>', 'the private key, made when it is not there; default: ~/.ssh/id_ed25519')
    .option(
      '--host-key <fingerprint>',
      "the host's fingerprint, 'SHA256:…', or accept-new, to be asked nothing",
    )
    .option('--scheduler <name>', 'default: the one whose commands are there')
    .option('--workdir <path>', 'the work folder there; default: $HOME/.farcall')
    .option('--ssh-config <file>', 'another file than ~/.ssh/config')
    .option('--no-entry', 'write no Host entry: the profile then says all')
    .option('--project', "add the profile to the project's configuration; default: to your own")
    .option('--default', 'make it the default profile, where there is none')
    .option('--password-env <name>', 'the environment variable that holds your password there')
    .option('-y, --yes', 'write and install without asking; a host key is asked about all the same')
    .option('--no-doctor', 'do not look at the place at the end')
    .option('--no-job', 'let the doctor submit no job')
    .addHelpText(
      'after',
      `
Each change is shown before it is made. Nothing that is there is overwritten, and a second run changes nothing. The password
is used once, to install the key, and kept nowhere.

Examples:
  farcall setup me@login.hpc.edu
  farcall setup me@login.hpc.edu --name hpc --project
  HPC_PASSWORD=… farcall setup me@login.hpc.edu --yes --password-env HPC_PASSWORD --host-key SHA256:…

Exit code: that of farcall doctor, with which it ends; 1 when you say no.`,
    )
    .action(setup)
}

async function setup(host: string, options: Options): Promise<void> {
  const { passwordEnv, yes = false, port } = options
  const [{ flagAsker, terminalAsker, Declined }, { setUp }] = await Promise.all([
    import('../setup/asker.ts'),
    import('../setup/setup.ts'),
  ])
  const password = passwordEnv === undefined ? undefined : process.env[passwordEnv]
  if (passwordEnv !== undefined && password === undefined)
    throw new ConfigError(
      'OPTION_INVALID',
      `--password-env: the environment variable ${passwordEnv} is not set`,
      {
        hint: `export ${passwordEnv}, or leave it out to be asked`,
      },
    )
  const terminal = process.stdin.isTTY === true && process.stderr.isTTY === true && password === undefined
  const asker = terminal ? await terminalAsker(yes) : flagAsker(yes, password)
  const { user, name, key, hostKey, scheduler, workdir, sshConfig, entry } = options
  let profile: string | undefined
  try {
    profile = await setUp(host, {
      asker,
      terminal,
      port: port === undefined ? undefined : readPort(port),
      project: options.project ?? false,
      asDefault: options.default ?? false,
      ...{ user, name, key, hostKey, scheduler, workdir, sshConfig, entry },
    })
  } catch (error) {
    if (!(error instanceof Declined)) throw error
    asker.end('As you like. What was done until here stays, and nothing more is done.')
    process.exitCode = 1
    return
  }
  if (profile === undefined) {
    asker.end('Once it stands there: farcall doctor')
    return
  }
  asker.end(`Profile '${profile}' is there: farcall run --profile ${profile} study.ts`)
  if (!options.doctor) return
  const { doctor } = await import('./doctor.ts')
  await doctor(profile, { job: options.job, wait: '2m' })
}

function readPort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new ConfigError('OPTION_INVALID', `--port: '${text}' is no port`, {
    hint: 'give a number from 1 to 65535',
  })
}
