/** What the options of job scripts are to us; of those that we do not know each stands for itself. */
import type { Resources } from '../core/resources.ts'
import type { ScriptOption } from './script-directives.ts'

interface Tables {
  readonly prefix: string
  /** Directives are read to the end of the file, and not to its first command. */
  readonly everywhere?: true
  readonly options: ReadonlyMap<string, ScriptOption>
}

type Name = keyof Resources

const sets = (...names: Name[]): ScriptOption => ({ sets: names })
const log: ScriptOption = { use: 'log' }
const array: ScriptOption = { use: 'array' }
const folder: ScriptOption = { use: 'folder' }
const submits: ScriptOption = { use: 'submits', value: 'none' }
const flag = (option: ScriptOption = {}): ScriptOption => ({ ...option, value: 'none' })
const joined = (option: ScriptOption): ScriptOption => ({ ...option, value: 'joined' })

/** https://slurm.schedmd.com/sbatch.html */
const slurmOptions: readonly (readonly [names: string, option: ScriptOption])[] = [
  ['--job-name -J', sets('name')],
  ['--partition -p', sets('partition')],
  ['--account -A', sets('account')],
  ['--qos -q', sets('qos')],
  ['--nodes -N', sets('nodes')],
  ['--ntasks-per-node --ntasks -n', sets('tasksPerNode')],
  ['--cpus-per-task -c', sets('cores')],
  ['--mem --mem-per-cpu --mem-per-gpu', sets('memory')],
  ['--time -t', sets('time')],
  ['--gpus -G --gpus-per-node --gpus-per-task', sets('gpus')],
  ['--gres', { read: (value) => (/(^|,)(gres:)?gpu\b/.test(value) ? ['gpus'] : []) }],
  ['--constraint -C', sets('constraint')],
  ['--reservation', sets('reservation')],
  ['--nodelist -w', sets('nodelist')],
  ['--exclude -x', sets('exclude')],
  ['--exclusive', joined(sets('exclusive'))],
  ['--licenses -L', sets('licenses')],
  ['--dependency -d', sets('dependency')],
  ['--priority', sets('priority')],
  ['--mail-type', sets('mailType')],
  ['--mail-user', sets('mailUser')],
  ['--signal', sets('signal')],
  ['--requeue --no-requeue', flag(sets('requeue'))],
  ['--output -o --error -e --open-mode', log],
  ['--array -a', array],
  ['--chdir -D', folder],
  ['--wait -W --test-only --parsable', submits],
  ['--wrap', { use: 'submits' }],
  ['--hold -H --ignore-pbs --quiet -Q --verbose -v --overcommit -O --contiguous --use-min-nodes', flag()],
  ['--oversubscribe -s --reboot --spread-job --no-kill -k --nice', joined({})],
]

/** `-l select=2:ncpus=4:mem=8gb`, `-l walltime=1:00:00,mem=4gb` */
const pbsList: Readonly<Record<string, readonly Name[]>> = {
  select: ['nodes', 'tasksPerNode', 'cores', 'memory', 'gpus', 'nodelist'],
  nodes: ['nodes', 'tasksPerNode', 'cores', 'gpus', 'nodelist'],
  ncpus: ['cores'],
  procs: ['cores'],
  ppn: ['tasksPerNode'],
  mem: ['memory'],
  pmem: ['memory'],
  vmem: ['memory'],
  pvmem: ['memory'],
  ngpus: ['gpus'],
  gpus: ['gpus'],
  walltime: ['time'],
  place: ['exclusive'],
  host: ['nodelist'],
  qos: ['qos'],
}

/** https://help.altair.com: PBS Professional Reference Guide, qsub; Torque's differ in what `-l` takes. */
const pbsOptions: readonly (readonly [names: string, option: ScriptOption])[] = [
  ['-N', sets('name')],
  ['-q', sets('partition')],
  ['-A', sets('account')],
  ['-l', { read: (value) => namesIn(value, pbsList) }],
  ['-W', { read: (value) => (/(^|,)depend=/.test(value) ? ['dependency'] : []) }],
  ['-p', sets('priority')],
  ['-m', sets('mailType')],
  ['-M', sets('mailUser')],
  ['-r', sets('requeue')],
  ['-o -e -j -k', log],
  ['-J -t', array],
  ['-d -w', folder],
  ['-S', { use: 'shell' }],
  ['-I -X', submits],
  ['-h -V -z -f -x', flag()],
  ['-a -c -C -G -P -R -u -v', {}],
]

/** Complexes go by the site; these are the usual ones. */
const sgeList: Readonly<Record<string, readonly Name[]>> = {
  h_rt: ['time'],
  s_rt: ['time'],
  h_vmem: ['memory'],
  s_vmem: ['memory'],
  mem_free: ['memory'],
  virtual_free: ['memory'],
  h_data: ['memory'],
  m_mem_free: ['memory'],
  gpu: ['gpus'],
  gpus: ['gpus'],
  ngpus: ['gpus'],
  hostname: ['nodelist'],
  h: ['nodelist'],
  qname: ['partition'],
  q: ['partition'],
  exclusive: ['exclusive'],
}

/** https://manpages.debian.org/bookworm/gridengine-client/qsub.1.en.html */
const sgeOptions: readonly (readonly [names: string, option: ScriptOption])[] = [
  ['-N', sets('name')],
  ['-q', sets('partition')],
  ['-P', sets('account')],
  ['-pe', sets('cores')],
  ['-l', { read: (value) => namesIn(value, sgeList) }],
  ['-ar', sets('reservation')],
  ['-hold_jid -hold_jid_ad', sets('dependency')],
  ['-p', sets('priority')],
  ['-m', sets('mailType')],
  ['-M', sets('mailUser')],
  ['-r', sets('requeue')],
  ['-o -e -j', log],
  ['-t -tc', array],
  ['-wd', folder],
  ['-cwd', { use: 'here', value: 'none' }],
  ['-S', { use: 'shell' }],
  ['-sync -b -shell', { use: 'submits' }],
  ['-terse -verify', submits],
  ['-V -h -hard -soft -notify -clear', flag()],
  ['-R -a -A -ac -c -ckpt -dl -dc -js -jsv -masterq -now -sc -v -w -binding -i', {}],
]

function namesIn(value: string, known: Readonly<Record<string, readonly Name[]>>): Name[] {
  return value.split(',').flatMap((part) => known[part.split('=')[0]!.trim()] ?? [])
}

function mapOf(table: readonly (readonly [names: string, option: ScriptOption])[]) {
  return new Map(table.flatMap(([names, option]) => names.split(' ').map((name) => [name, option] as const)))
}

const tables: Readonly<Record<string, Tables>> = {
  slurm: { prefix: '#SBATCH', options: mapOf(slurmOptions) },
  pbs: { prefix: '#PBS', options: mapOf(pbsOptions) },
  torque: { prefix: '#PBS', options: mapOf(pbsOptions) },
  sge: { prefix: '#$', everywhere: true, options: mapOf(sgeOptions) },
}

/** Undefined: its job scripts have no directives, or it has none. */
export function tablesOf(scheduler: string): Tables | undefined {
  return tables[scheduler]
}
