/** What the files of one Grid Engine depend on. */
export interface SgeLayout {
  readonly folder: string
  /** Who owns the spool, and changes what is configured. */
  readonly admin: string
  /** Every name of this machine: to Grid Engine all of them are localhost. */
  readonly names: readonly string[]
  readonly slots: number
  readonly maxArrayTasks: number
  /** Instead of a parallel environment that stays on one node, none. */
  readonly parallelEnvironments: readonly ('smp' | 'mpi')[]
  /** Whether memory is counted: then h_vmem is what a node has less of with each job. */
  readonly memoryIsCounted: boolean
}

/** Where Debian has put the commands and the daemons. */
export const programs = '/usr/lib/gridengine'

export const rootOf = ({ folder }: SgeLayout) => `${folder}/root`

const columns = (settings: Readonly<Record<string, string | number>>) =>
  Object.entries(settings)
    .map(([key, value]) => `${key} ${value}\n`)
    .join('')

export function bootstrap(at: SgeLayout): string {
  return columns({
    admin_user: at.admin,
    default_domain: 'none',
    ignore_fqdn: 'true',
    spooling_method: 'classic',
    spooling_lib: 'libspoolc',
    spooling_params: `${rootOf(at)}/default/common;${at.folder}/qmaster`,
    binary_path: programs,
    qmaster_spool_dir: `${at.folder}/qmaster`,
    security_mode: 'none',
    listener_threads: 2,
    worker_threads: 2,
    scheduler_threads: 1,
  })
}

/** Debian's configuration, quick to tell, for every user, and nothing is mailed. */
export function globalConfiguration(given: string, at: SgeLayout): string {
  const settings: Record<string, string> = {
    execd_spool_dir: `${at.folder}/execd`,
    min_uid: '0',
    min_gid: '0',
    administrator_mail: 'none',
    mailer: '/bin/true',
    load_report_time: '00:00:02',
    max_unheard: '00:00:30',
    finished_jobs: '0',
    max_aj_tasks: String(at.maxArrayTasks),
    // What starts the daemons here is no concern of a job.
    execd_params: 'INHERIT_ENV=false',
  }
  const kept = given.split('\n').filter((line) => !(line.split(/\s/)[0]! in settings))
  const quick = kept.map((line) =>
    line.replace('reporting=false', 'accounting_flush_time=00:00:00 reporting=false'),
  )
  return `${quick.join('\n').trimEnd()}\n${columns(settings)}`
}

/** The scheduler's own configuration, changed. */
export function schedulerConfiguration(given: string): string {
  const settings: Record<string, string> = {
    schedule_interval: '0:0:1',
    flush_submit_sec: '1',
    flush_finish_sec: '1',
    load_adjustment_decay_time: '0:0:0',
    job_load_adjustments: 'NONE',
    schedd_job_info: 'true',
  }
  const kept = given.split('\n').filter((line) => line !== '' && !(line.split(/\s/)[0]! in settings))
  return `${kept.join('\n')}\n${columns(settings)}`
}

export function parallelEnvironment(name: 'smp' | 'mpi'): string {
  return columns({
    pe_name: name,
    slots: 9999,
    user_lists: 'NONE',
    xuser_lists: 'NONE',
    start_proc_args: 'NONE',
    stop_proc_args: 'NONE',
    allocation_rule: name === 'smp' ? '$pe_slots' : '$round_robin',
    control_slaves: name === 'smp' ? 'FALSE' : 'TRUE',
    job_is_first_task: 'TRUE',
    urgency_slots: 'min',
    accounting_summary: 'FALSE',
    qsort_args: 'NONE',
  })
}

/** A resource `gpu`, of which a slot takes what is asked; and h_vmem counted, perhaps. */
export function complexes(given: string, at: SgeLayout): string {
  const lines = given.split('\n').filter((line) => line !== '' && !/^(gpu|exclusive)\s/.test(line))
  const counted = lines.map((line) =>
    at.memoryIsCounted && line.startsWith('h_vmem ') ? 'h_vmem h_vmem MEMORY <= YES YES 2G 0' : line,
  )
  return [...counted, 'gpu gpu INT <= YES YES 0 0', 'exclusive excl BOOL EXCL YES YES 0 1000', ''].join('\n')
}

export function executionHost(at: SgeLayout): string {
  const memory = at.memoryIsCounted ? ',h_vmem=32G' : ''
  return columns({
    hostname: 'localhost',
    load_scaling: 'NONE',
    complex_values: `slots=${at.slots},gpu=2,exclusive=TRUE${memory}`,
    user_lists: 'NONE',
    xuser_lists: 'NONE',
    projects: 'NONE',
    xprojects: 'NONE',
    usage_scaling: 'NONE',
    report_variables: 'NONE',
  })
}

const unlimited = ['rt', 'cpu', 'fsize', 'data', 'stack', 'core', 'rss', 'vmem'].flatMap((what) => [
  [`s_${what}`, 'INFINITY'],
  [`h_${what}`, 'INFINITY'],
])

export function queue(name: string, at: SgeLayout, over: Readonly<Record<string, string>> = {}): string {
  return columns({
    qname: name,
    hostlist: 'localhost',
    seq_no: 0,
    load_thresholds: 'NONE',
    suspend_thresholds: 'NONE',
    nsuspend: 1,
    suspend_interval: '00:05:00',
    priority: 0,
    min_cpu_interval: '00:05:00',
    processors: 'UNDEFINED',
    qtype: 'BATCH INTERACTIVE',
    ckpt_list: 'NONE',
    pe_list: at.parallelEnvironments.join(' ') || 'NONE',
    rerun: 'FALSE',
    slots: at.slots,
    tmpdir: '/tmp',
    // Jobs say themselves which shell they are for.
    shell: '/bin/csh',
    prolog: 'NONE',
    epilog: 'NONE',
    shell_start_mode: 'posix_compliant',
    starter_method: 'NONE',
    suspend_method: 'NONE',
    resume_method: 'NONE',
    terminate_method: 'NONE',
    notify: '00:00:02',
    owner_list: 'NONE',
    user_lists: 'NONE',
    xuser_lists: 'NONE',
    subordinate_list: 'NONE',
    complex_values: 'NONE',
    projects: 'NONE',
    xprojects: 'NONE',
    calendar: 'NONE',
    initial_state: 'default',
    ...Object.fromEntries(unlimited),
    ...over,
  })
}
