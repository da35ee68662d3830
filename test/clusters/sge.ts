import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeFolder } from '../remove-folder.ts'
import { daemonGroup } from './daemons.ts'
import { guard } from './guard.ts'
import { pathWithNode } from './node-on-path.ts'
import { freePorts, processesWhere, run, stopProcesses, until } from './processes.ts'
import {
  bootstrap,
  complexes,
  executionHost,
  globalConfiguration,
  parallelEnvironment,
  programs,
  queue,
  rootOf,
  type SgeLayout,
  schedulerConfiguration,
} from './sge-conf.ts'
import { type PlainUser, plainUser } from './user.ts'

/** A real Grid Engine on this machine: queues all.q and short.q (ten minutes), one node with two GPUs as far as it can tell. */
export interface Sge {
  /** SGE_ROOT and its like, and a PATH with the commands and `node`: the environment of whoever speaks with it. */
  readonly env: Readonly<Record<string, string>>
  readonly user: string
  readonly home: string
  readonly account: PlainUser
  readonly folder: string
  pids(): number[]
  /** What qmaster and execd noted until now. */
  log(): string
  /** Ends qmaster; jobs run on. */
  stopMaster(): Promise<void>
  /** Starts it again, with all that it knew; resolves when it answers. */
  startMaster(): Promise<void>
  /** Deletes the jobs, ends the daemons, and takes the folder and the user away. */
  stop(): Promise<void>
}

export interface SgeOptions {
  slots?: number
  /** max_aj_tasks */
  maxArrayTasks?: number
  parallelEnvironments?: SgeLayout['parallelEnvironments']
  memoryIsCounted?: boolean
  /** An account of a cluster that is up already; whoever made it takes it away. */
  account?: PlainUser
}

/** Starts one, as root, in about three seconds. Several can be up at once. */
export async function startSge(options: SgeOptions = {}): Promise<Sge> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-sge-'))
  chmodSync(folder, 0o755)
  const account = options.account ?? (await plainUser(join(folder, 'home')))
  const layout: SgeLayout = {
    folder,
    admin: 'sgeadmin',
    names: [...new Set([hostname(), hostname().split('.')[0]!])].filter((name) => name !== 'localhost'),
    slots: options.slots ?? 16,
    maxArrayTasks: options.maxArrayTasks ?? 10_000,
    parallelEnvironments: options.parallelEnvironments ?? ['smp', 'mpi'],
    memoryIsCounted: options.memoryIsCounted ?? false,
  }
  const [port, nodePort] = await freePorts(2)
  const variables = {
    SGE_ROOT: rootOf(layout),
    SGE_CELL: 'default',
    SGE_ARCH: 'lx-amd64',
    SGE_QMASTER_PORT: String(port),
    SGE_EXECD_PORT: String(nodePort),
    SGE_CLUSTER_NAME: 'lab',
  }
  const env = { ...variables, PATH: `${programs}:${await pathWithNode(folder, account)}` }
  const daemons = daemonGroup(folder, { ...env, SGE_ND: '1', LC_ALL: 'C' })
  const release = guard(folder, options.account ? undefined : account)
  const inJobs = () => processesWhere((argv) => argv.includes(`${folder}/`))
  const command = (file: string, ...args: string[]) => run(file, args, { env, cwd: '/' })
  const stop = async () => {
    await command('qdel', '-f', '-u', '*').catch(() => {}) // there is none, or qmaster is down
    await daemons.stop(1000)
    await stopProcesses(inJobs(), 0)
    if (!options.account) await account.remove()
    removeFolder(folder)
    release()
  }
  const log = () =>
    [
      `${folder}/qmaster/messages`,
      `${folder}/execd/localhost/messages`,
      ...['qmaster', 'execd'].map((name) => `${folder}/log/${name}.out`),
    ]
      .filter(existsSync)
      .map((file) => readFileSync(file, 'utf8'))
      .join('')
  const startNode = async () => {
    daemons.start('execd', `${programs}/sge_execd`, [])
    // The architecture is what it tells first.
    const isUp = async () => / lx-amd64 *$/m.test((await command('qstat', '-f', '-q', 'all.q')).stdout)
    if (!(await until(isUp, 60_000))) throw new Error('execd is not up')
  }
  const startMaster = async () => {
    daemons.start('qmaster', `${programs}/sge_qmaster`, [])
    const answers = () =>
      command('qconf', '-sh').then(
        () => true,
        () => false,
      )
    if (!(await until(answers, 60_000))) throw new Error('qmaster is not up')
  }
  try {
    await install(layout, env)
    await startMaster()
    await configure(layout, command)
    await startNode()
  } catch (error) {
    const words = log().slice(-3000)
    await stop()
    throw new Error(`Grid Engine did not start.\n${words}`, { cause: error })
  }
  const stopMaster = () => daemons.end('qmaster')
  const { name: user, home } = account
  return { env, user, home, account, folder, pids: daemons.pids, log, stopMaster, startMaster, stop }
}

type Commander = (file: string, ...args: string[]) => Promise<{ stdout: string }>

/** What Debian asks about when it installs the packages, and a spool of our own. */
async function install(at: SgeLayout, env: Readonly<Record<string, string>>): Promise<void> {
  const root = rootOf(at)
  for (const name of [
    `${root}/default/common`,
    `${at.folder}/log`,
    `${at.folder}/etc`,
    `${at.folder}/qmaster/job_scripts`,
    `${at.folder}/execd`,
  ])
    mkdirSync(name, { recursive: true, mode: 0o755 })
  for (const name of ['bin', 'lib', 'utilbin']) {
    mkdirSync(`${root}/${name}`)
    symlinkSync(programs, `${root}/${name}/lx-amd64`)
  }
  for (const name of ['util', 'mpi']) symlinkSync(`/usr/share/gridengine/${name}`, `${root}/${name}`)
  const common = (name: string, text: string) => writeFileSync(`${root}/default/common/${name}`, text)
  common('bootstrap', bootstrap(at))
  common('act_qmaster', 'localhost\n')
  common('host_aliases', `localhost ${at.names.join(' ')}\n`)
  const configuration = `${at.folder}/etc/global`
  writeFileSync(
    configuration,
    globalConfiguration(readFileSync('/usr/share/gridengine/default-configuration', 'utf8'), at),
  )
  await run('chown', [
    '-R',
    `${at.admin}:${at.admin}`,
    root,
    `${at.folder}/qmaster`,
    `${at.folder}/execd`,
    `${at.folder}/etc`,
  ])
  // One shell for all: with classic spooling a second one would overwrite what the first has made.
  const script = `set -e
spoolinit classic libspoolc "$SGE_ROOT/default/common;${at.folder}/qmaster" init
spooldefaults configuration ${configuration}
spooldefaults complexes /usr/share/gridengine/util/resources/centry
spooldefaults usersets /usr/share/gridengine/util/resources/usersets
spooldefaults managers ${at.admin} root`
  await run('setpriv', ['--reuid', at.admin, '--regid', at.admin, '--clear-groups', 'sh', '-c', script], {
    env,
    cwd: '/',
  })
}

async function configure(at: SgeLayout, command: Commander): Promise<void> {
  let files = 0
  const set = async (option: string, text: string) => {
    const file = `${at.folder}/etc/set.${files++}`
    writeFileSync(file, text)
    await command('qconf', option, file)
  }
  await command('qconf', '-ah', 'localhost').catch(() => {}) // it is one already, as the one that qmaster runs on
  await command('qconf', '-as', 'localhost')
  await set('-Msconf', schedulerConfiguration((await command('qconf', '-ssconf')).stdout))
  for (const name of at.parallelEnvironments) await set('-Ap', parallelEnvironment(name))
  await set('-Mc', complexes((await command('qconf', '-sc')).stdout, at))
  await set('-Ae', executionHost(at))
  await set('-Aq', queue('all.q', at))
  await set('-Aq', queue('short.q', at, { h_rt: '00:10:00', rerun: 'TRUE' }))
}
