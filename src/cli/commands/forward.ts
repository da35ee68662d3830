import { Command } from 'commander'
import { ConfigError } from '../../core/errors.ts'
import type { RunningHere } from '../running-job.ts'

interface Options {
  local?: string
  profile?: string
  json?: true
}

interface Ports {
  readonly port: number
  readonly local: number | undefined
}

export function forwardCommand(): Command {
  return new Command('forward')
    .argument(
      '<id>',
      'the job: its id or the beginning of it, ID[3] for a task of it, or the scheduler\u2019s id',
    )
    .argument(
      '<port>',
      'the port that it listens on; LOCAL:PORT also says which one of this machine leads there',
    )
    .option('--local <port>', 'the port of this machine; default: the same one, or any that is free')
    .option('--profile <name>', 'the profile that the job was sent to; default: as recorded here')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Prints the address on this machine, and carries connections until Ctrl-C. They go through the ssh connection of the profile
to its host, and from there to the node of the job: the job must listen on that node's network (0.0.0.0), not on its
loopback alone, unless it runs on the host itself. Whoever can reach the node can reach such a port as well: let it ask
for a token or password.

Examples:
  farcall forward fqp3ikcfdfl4z4 8888
  farcall forward fqp3 9000:8888

Exit code: 0 after Ctrl-C.`,
    )
    .action(forward)
}

async function forward(id: string, ports: string, options: Options): Promise<void> {
  const wanted = readPorts(ports, options.local)
  // Only here, as with all commands: `farcall run` loads none of it.
  const { openRunningJob } = await import('../running-job.ts')
  const found = await openRunningJob(id, options.profile)
  try {
    await carry(found, wanted, options.json ?? false)
  } finally {
    await found.site.transport[Symbol.asyncDispose]()
  }
}

async function carry({ job, site, running }: RunningHere, wanted: Ports, json: boolean): Promise<void> {
  const { portState } = await import('../../executor/reach.ts')
  const { transport } = site
  if (!transport.tunnel)
    throw new ConfigError('OPTION_INVALID', `${transport.name}: this transport has no tunnels`, {
      hint: "use a profile with transport: 'ssh'",
    })
  const state = await portState(site, running.address, wanted.port)
  const to = { host: running.address, port: wanted.port }
  const tunnel = await openAt(transport.tunnel.bind(transport), to, wanted)
  const url = `http://127.0.0.1:${tunnel.port}`
  // Heard from here on: who reads the address may end it at once.
  const interrupt = interrupted()
  if (json)
    process.stdout.write(
      `${JSON.stringify({ url, port: tunnel.port, job: job.id, node: running.node, to, state })}\n`,
    )
  else process.stdout.write(`${url}\n`)
  process.stderr.write(
    `leads to port ${wanted.port} of ${running.node}, where job ${job.id} (${job.name}) runs; Ctrl-C ends it\n`,
  )
  const advice = adviceOn(state, wanted.port, running.node, site.scheduler.attach?.beside !== undefined)
  if (advice) process.stderr.write(`${advice}\n`)
  await interrupt
  await tunnel[Symbol.asyncDispose]()
}

/** What to know when the port does not answer yet. */
export function adviceOn(
  state: 'open' | 'closed' | 'silent' | 'unknown',
  port: number,
  node: string,
  elsewhere: boolean,
): string | undefined {
  if (state === 'closed')
    return elsewhere
      ? `note: nothing listens on port ${port} of ${node} yet, or on its loopback alone: have it listen on 0.0.0.0, or go to the node: farcall shell ID`
      : `note: nothing listens on port ${port} of ${node} yet`
  if (state === 'silent')
    return `note: port ${port} of ${node} cannot be reached from the login node: the site may let nothing but the scheduler there; farcall shell ID goes in by it`
  return undefined
}

/** The same port here, when it is free and nothing else was asked. */
async function openAt<T>(
  open: (to: { host: string; port: number }, options: { port?: number }) => Promise<T>,
  to: { host: string; port: number },
  { local, port }: Ports,
): Promise<T> {
  if (local !== undefined) return open(to, { port: local })
  try {
    return await open(to, { port })
  } catch (error) {
    if ((error as { code?: string }).code !== 'PORT_TAKEN') throw error
    return open(to, {})
  }
}

/** @throws ConfigError OPTION_INVALID */
export function readPorts(ports: string, option: string | undefined): Ports {
  const match = /^(?:(\d+):)?(\d+)$/.exec(ports)
  const port = Number(match?.[2])
  const local = option ?? match?.[1]
  const isPort = (value: number) => Number.isInteger(value) && value >= 1 && value <= 65_535
  if (!isPort(port))
    throw new ConfigError('OPTION_INVALID', `'${ports}' is no port`, {
      hint: 'give a number from 1 to 65535, or two: 9000:8888',
    })
  if (local === undefined) return { port, local: undefined }
  if (!isPort(Number(local)) || (option !== undefined && match?.[1] !== undefined && match[1] !== option))
    throw new ConfigError('OPTION_INVALID', `--local: '${local}' is no port, or not the one of '${ports}'`, {
      hint: 'give a number from 1 to 65535, once: --local 9000',
    })
  return { port, local: Number(local) }
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    const stay = setInterval(() => {}, 2 ** 30)
    const end = () => {
      clearInterval(stay)
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, end)
      resolve()
    }
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, end)
  })
}
