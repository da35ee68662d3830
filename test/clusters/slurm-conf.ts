import { hostname } from 'node:os'

/** What the configuration files of one Slurm depend on. */
export interface SlurmLayout {
  readonly folder: string
  readonly runUser: string
  /** Names that no other Slurm of the machine has: the cgroups are named after them. */
  readonly nodes: readonly string[]
  readonly ports: { readonly ctld: number; readonly dbd: number; readonly nodes: readonly number[] }
  readonly accounting: boolean
  readonly memoryLimit: 'cgroup' | 'polling'
  /** Settings of slurm.conf, instead of or beside those here. */
  readonly settings: Readonly<Record<string, string>>
}

const lines = (settings: Record<string, string>, between = '\n') =>
  Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join(between)

/** slurm.conf: quick to schedule, and otherwise as sites have it. */
export function slurmConf(at: SlurmLayout): string {
  const cgroup = at.memoryLimit === 'cgroup'
  const settings = {
    ClusterName: 'lab',
    SlurmctldHost: `${hostname().split('.')[0]}(127.0.0.1)`,
    SlurmctldPort: String(at.ports.ctld),
    SlurmctldPidFile: `${at.folder}/pids/slurmctld.pid`,
    SlurmctldLogFile: `${at.folder}/log/slurmctld.log`,
    StateSaveLocation: `${at.folder}/state`,
    SlurmUser: at.runUser,
    SlurmdUser: at.runUser,
    SlurmdSpoolDir: `${at.folder}/spool/%n`,
    SlurmdPidFile: `${at.folder}/pids/slurmd-%n.pid`,
    SlurmdLogFile: `${at.folder}/log/slurmd-%n.log`,
    SlurmdParameters: 'config_overrides', // believe the sizes below, not those of the machine
    AuthType: 'auth/munge',
    AuthInfo: `socket=${at.folder}/munge/socket,cred_expire=5`,
    CredType: 'cred/munge',
    MpiDefault: 'none',
    ProctrackType: cgroup ? 'proctrack/cgroup' : 'proctrack/linuxproc',
    TaskPlugin: cgroup ? 'task/cgroup' : 'task/none',
    JobAcctGatherType: cgroup ? 'jobacct_gather/cgroup' : 'jobacct_gather/linux',
    JobAcctGatherFrequency: 'task=1',
    JobAcctGatherParams: cgroup ? 'UsePss' : 'OverMemoryKill,UsePss',
    ReturnToService: '1',
    MailProg: '/bin/true',
    MaxArraySize: '10001',
    MaxJobCount: '50000',
    MinJobAge: '300',
    KillWait: '2',
    InactiveLimit: '0',
    SlurmctldTimeout: '30',
    SlurmdTimeout: '30',
    CompleteWait: '0',
    EpilogMsgTime: '0',
    SchedulerType: 'sched/backfill',
    SchedulerParameters:
      'sched_interval=1,sched_min_interval=0,bf_interval=1,bf_continue,batch_sched_delay=0,' +
      'default_queue_depth=1000,partition_job_depth=1000,max_rpc_cnt=0,bf_max_job_test=1000',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_Core_Memory',
    DefMemPerCPU: '100',
    PriorityType: 'priority/basic',
    PreemptType: 'preempt/partition_prio',
    PreemptMode: 'REQUEUE',
    JobRequeue: '1',
    PrologFlags: 'Alloc',
    GresTypes: 'gpu',
    ...(at.accounting ? accountingSettings(at) : { AccountingStorageType: 'accounting_storage/none' }),
    ...at.settings,
  }
  const all = at.nodes.join(',')
  const partition = (name: string, more: Record<string, string>) =>
    lines({ PartitionName: name, Nodes: all, DefaultTime: '00:10:00', State: 'UP', ...more }, ' ')
  return [
    lines(settings),
    ...at.nodes.map((node, index) => nodeLine(node, at.ports.nodes[index]!, hasGpus(index))),
    partition('short', { Default: 'YES', MaxTime: '24:00:00', PriorityTier: '10' }),
    partition('long', { MaxTime: 'INFINITE', PriorityTier: '1', PreemptMode: 'REQUEUE' }),
    '',
  ].join('\n')
}

/** The first half of the nodes has two GPUs each, as far as Slurm can tell. */
const hasGpus = (index: number) => index < 2

function nodeLine(node: string, port: number, gpus: boolean): string {
  const size = { CPUs: '4', Boards: '1', SocketsPerBoard: '1', CoresPerSocket: '4', ThreadsPerCore: '1' }
  const memory = { RealMemory: '4000', TmpDisk: '1000' }
  const kind: Record<string, string> = gpus ? { Gres: 'gpu:a100:2', Feature: 'gpu' } : { Feature: 'cpu' }
  const address = { NodeName: node, NodeAddr: '127.0.0.1', Port: String(port) }
  return lines({ ...address, ...size, ...memory, ...kind, State: 'UNKNOWN' }, ' ')
}

function accountingSettings(at: SlurmLayout): Record<string, string> {
  return {
    AccountingStorageType: 'accounting_storage/slurmdbd',
    AccountingStorageHost: '127.0.0.1',
    AccountingStoragePort: String(at.ports.dbd),
    AccountingStoragePass: `${at.folder}/munge/socket`,
    AccountingStorageTRES: 'gres/gpu',
    AccountingStorageEnforce: 'associations,limits,qos',
  }
}

/** gres.conf: device files, so that jobs get CUDA_VISIBLE_DEVICES. */
export function gresConf(at: SlurmLayout): string {
  const file = `${at.folder}/gpu/nvidia[0-1]`
  return at.nodes
    .filter((_, index) => hasGpus(index))
    .map((node) => `${lines({ NodeName: node, Name: 'gpu', Type: 'a100', File: file }, ' ')}\n`)
    .join('')
}

/** cgroup.conf. The plugin is named always: slurmd else looks for one and dies where there is none. */
export function cgroupConf(at: SlurmLayout): string {
  const plugin = { CgroupPlugin: 'cgroup/v1' }
  if (at.memoryLimit !== 'cgroup') return `${lines(plugin)}\n`
  const yes = { ConstrainRAMSpace: 'yes', ConstrainSwapSpace: 'yes' }
  const no = { CgroupAutomount: 'no', ConstrainCores: 'no', ConstrainDevices: 'no' }
  return `${lines({ ...plugin, CgroupMountpoint: '/sys/fs/cgroup', ...yes, ...no })}\n`
}

export function slurmdbdConf(at: SlurmLayout): string {
  const settings = {
    AuthType: 'auth/munge',
    AuthInfo: `socket=${at.folder}/munge/socket`,
    DbdHost: 'localhost',
    DbdAddr: '127.0.0.1',
    DbdPort: String(at.ports.dbd),
    SlurmUser: at.runUser,
    StorageType: 'accounting_storage/mysql',
    StorageHost: 'localhost',
    StorageUser: at.runUser,
    StorageLoc: 'slurm_acct',
    LogFile: `${at.folder}/log/slurmdbd.log`,
    PidFile: `${at.folder}/pids/slurmdbd.pid`,
    CommitDelay: '0',
  }
  return `${lines(settings)}\n`
}
