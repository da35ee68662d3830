import { randomInt } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { removeFolder } from '../remove-folder.ts'
import { hasCgroupV1, removeCgroups } from './cgroups.ts'
import { daemonGroup } from './daemons.ts'
import { guard } from './guard.ts'
import { startMariadb } from './mariadb.ts'
import { pathWithNode } from './node-on-path.ts'
import { freePorts, processesWhere, run, stopProcesses, until } from './processes.ts'
import { cgroupConf, gresConf, type SlurmLayout, slurmConf, slurmdbdConf } from './slurm-conf.ts'
import { type PlainUser, plainUser } from './user.ts'

/** A real Slurm on this machine: partitions `short` (default) and `long` (preempted by requeue), two of the nodes with GPUs. */
export interface Slurm {
  /** SLURM_CONF, and a PATH with Slurm's commands and `node`: the environment of whoever speaks with it. */
  readonly env: Readonly<Record<string, string>>
  readonly user: string
  readonly home: string
  readonly account: PlainUser
  readonly folder: string
  readonly confFile: string
  readonly accounting: boolean
  readonly nodes: readonly string[]
  /** 'cgroup': the kernel holds a job to its memory; 'polling': slurmd looks every second, as there is no cgroup v1 here. */
  readonly memoryLimit: 'cgroup' | 'polling'
  /** The ids of all its daemons. */
  pids(): number[]
  /** What a daemon logged until now: slurmctld, slurmdbd, slurmd-NODE, munged … */
  log(daemon: string): string
  /** Ends slurmctld; jobs run on. */
  stopController(): Promise<void>
  /** Starts it again, with all that it knew; resolves when it answers. */
  startController(): Promise<void>
  /** Ends slurmdbd: sacct has no answer; slurmctld keeps what it has to tell it. */
  stopAccounting(): Promise<void>
  /** Starts it again; resolves when sacct answers. */
  startAccounting(): Promise<void>
  /** Cancels the jobs, ends the daemons, and takes the folder and the user away. */
  stop(): Promise<void>
}

export interface SlurmOptions {
  /** With slurmdbd on a MariaDB of its own: then sacct answers. */
  accounting: boolean
  nodes?: number
  /** An account of a cluster that is up already; whoever made it takes it away. */
  account?: PlainUser
  /** Without it 'cgroup' where the machine allows, else 'polling'. */
  memoryLimit?: 'cgroup' | 'polling'
  /** Settings of slurm.conf, instead of or beside ours: { MinJobAge: '2' }. */
  settings?: Readonly<Record<string, string>>
}

/** Starts one, in about two seconds, with accounting in about six. Several can be up at once. */
export async function startSlurm(options: SlurmOptions): Promise<Slurm> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-slurm-'))
  chmodSync(folder, 0o755)
  for (const name of ['etc', 'log', 'state', 'spool', 'munge', 'pids', 'gpu'])
    mkdirSync(join(folder, name), { mode: 0o755 })
  const account = options.account ?? (await plainUser(join(folder, 'home')))
  const count = options.nodes ?? 4
  const [ctld, dbd, ...nodePorts] = await freePorts(2 + count)
  const tag = Array.from({ length: 4 }, () => String.fromCharCode(97 + randomInt(26))).join('')
  const layout: SlurmLayout = {
    folder,
    runUser: userInfo().username,
    nodes: Array.from({ length: count }, (_, index) => `n${tag}${index + 1}`),
    ports: { ctld: ctld!, dbd: dbd!, nodes: nodePorts },
    accounting: options.accounting,
    memoryLimit: options.memoryLimit ?? (hasCgroupV1() ? 'cgroup' : 'polling'),
    settings: options.settings ?? {},
  }
  const confFile = join(folder, 'etc', 'slurm.conf')
  const env = { SLURM_CONF: confFile, PATH: await pathWithNode(folder, account) }
  const daemons = daemonGroup(folder, {
    ...env,
    LC_ALL: 'C.UTF-8',
    MYSQL_UNIX_PORT: join(folder, 'mysql.sock'),
  })
  const command = (file: string, ...args: string[]) => run(file, args, { env })

  const inJobs = () => processesWhere((argv, variables) => isOfJob(argv, variables, confFile))
  const release = guard(folder, options.account ? undefined : account, layout.nodes)
  const stop = async () => {
    await cancelAll(command)
    await daemons.stop(1000)
    await stopProcesses(inJobs(), 0)
    if (!options.account) await account.remove()
    await removeCgroups(layout.nodes)
    removeFolder(folder)
    release()
  }
  const log = (daemon: string) =>
    ['log', 'out']
      .map((kind) => join(folder, 'log', `${daemon}.${kind}`))
      .filter(existsSync)
      .map((file) => readFileSync(file, 'utf8'))
      .join('')
  try {
    await startDaemons(layout, account, daemons, command)
  } catch (error) {
    const words = ['slurmctld', 'slurmdbd', `slurmd-${layout.nodes[0]}`, 'munged'].map(
      (name) => `${name}: ${log(name).slice(-1500)}`,
    )
    await stop()
    throw new Error(`Slurm did not start.\n${words.join('\n')}`, { cause: error })
  }
  const { nodes, memoryLimit, accounting } = layout
  const facts = {
    env,
    user: account.name,
    home: account.home,
    account,
    folder,
    confFile,
    accounting,
    nodes,
    memoryLimit,
  }
  const startAgain = async (daemon: string, ...asked: [string, ...string[]]) => {
    daemons.start(daemon, daemon, ['-D'])
    const answers = () =>
      command(...asked).then(
        () => true,
        () => false,
      )
    if (!(await until(answers, 60_000)))
      throw new Error(`${daemon} did not come back: ${log(daemon).slice(-1500)}`)
  }
  const control = {
    stopController: () => daemons.end('slurmctld'),
    startController: () => startAgain('slurmctld', 'squeue', '-h'),
    stopAccounting: () => daemons.end('slurmdbd'),
    startAccounting: () => startAgain('slurmdbd', 'sacct', '-n'),
  }
  return { ...facts, pids: daemons.pids, log, ...control, stop }
}

type Commander = (file: string, ...args: string[]) => Promise<{ stdout: string }>

async function startDaemons(
  at: SlurmLayout,
  account: PlainUser,
  daemons: ReturnType<typeof daemonGroup>,
  command: Commander,
): Promise<void> {
  const etc = (name: string, text: string, mode = 0o644) =>
    writeFileSync(join(at.folder, 'etc', name), text, { mode })
  etc('slurm.conf', slurmConf(at))
  etc('gres.conf', gresConf(at))
  etc('cgroup.conf', cgroupConf(at))
  etc('slurmdbd.conf', slurmdbdConf(at), 0o600)
  for (const name of ['nvidia0', 'nvidia1']) symlinkSync('/dev/null', join(at.folder, 'gpu', name))

  const mustRun = async (what: string, ready: () => boolean | Promise<boolean>, patience = 60_000) => {
    const settled = await until(async () => daemons.down().length > 0 || (await ready()), patience)
    if (daemons.down().length > 0) throw new Error(`${daemons.down().join(', ')} ended`)
    if (!settled) throw new Error(`${what} is not up after ${patience} ms`)
  }
  await startMunge(at.folder, daemons)
  await mustRun('munged', () => existsSync(join(at.folder, 'munge', 'socket')))
  if (at.accounting) {
    await startMariadb(at.folder, at.runUser, daemons)
    daemons.start('slurmdbd', 'slurmdbd', ['-D'])
    await mustRun('slurmdbd', () => answers(at.ports.dbd))
    // slurmctld ends itself when its first start finds no cluster in the accounting
    await command('sacctmgr', '-i', 'add', 'cluster', 'lab')
    await command('sacctmgr', '-i', 'add', 'account', 'lab', 'Description=lab', 'Organization=lab')
    const people = [...new Set([at.runUser, account.name])].join(',')
    await command('sacctmgr', '-i', 'add', 'user', people, 'Account=lab')
  }
  daemons.start('slurmctld', 'slurmctld', ['-D', '-c'])
  for (const node of at.nodes) daemons.start(`slurmd-${node}`, 'slurmd', ['-D', '-c', '-N', node])
  const idle = async () => {
    const seen = await command('sinfo', '-h', '-N', '-p', 'short', '-t', 'idle', '-o', '%N').catch(() => ({
      stdout: '',
    }))
    return new Set(seen.stdout.split('\n').filter(Boolean)).size === at.nodes.length
  }
  await mustRun('one of the nodes', idle)
}

async function startMunge(folder: string, daemons: ReturnType<typeof daemonGroup>): Promise<void> {
  const at = (name: string) => join(folder, 'munge', name)
  await run('dd', ['if=/dev/urandom', `of=${at('key')}`, 'bs=1024', 'count=1', 'status=none'])
  chmodSync(at('key'), 0o600)
  // --force: it else refuses folders below one that all may write to
  const files = [`--socket=${at('socket')}`, `--key-file=${at('key')}`, `--seed-file=${at('seed')}`]
  const notes = [`--pid-file=${folder}/pids/munged.pid`, `--log-file=${folder}/log/munged.log`]
  daemons.start('munged', 'munged', ['--foreground', '--force', '--num-threads=4', ...files, ...notes])
}

/** Jobs first: a slurmd waits for its jobs. */
async function cancelAll(command: Commander): Promise<void> {
  const left = async () => (await command('squeue', '-h', '-o', '%A')).stdout.split('\n').filter(Boolean)
  try {
    const ids = [...new Set(await left())]
    if (ids.length === 0) return
    await command('scancel', '-f', '--signal=KILL', ...ids).catch(() => {}) // some have no process yet
    await command('scancel', ...ids)
    await until(async () => (await left()).length === 0, 3000)
  } catch {
    // slurmctld is down; the processes of its jobs are ended by their environment
  }
}

/** slurmstepd, and what runs in a job: both outlive their slurmd. */
function isOfJob(argv: string, variables: readonly string[], confFile: string): boolean {
  const inJob =
    argv.startsWith('slurmstepd') || variables.some((variable) => variable.startsWith('SLURM_JOB_ID='))
  return inJob && variables.includes(`SLURM_CONF=${confFile}`)
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
