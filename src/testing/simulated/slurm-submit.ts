import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { resolve } from 'node:path'
import type { Asked, Call, Cluster, Dependency, Job, Member, Reply } from './model.ts'
import { isOver, phaseOf, Refused } from './model.ts'
import { directivesOf, readBytes, readClock, readIndexes, readOptions } from './options.ts'
import { findAll, node, partitions } from './slurm-jobs.ts'

/** Options of sbatch with a value, and by their letters. */
const valued = new Map<string, string | undefined>(
  Object.entries({
    '--account': '-A',
    '--array': '-a',
    '--begin': '-b',
    '--chdir': '-D',
    '--comment': undefined,
    '--constraint': '-C',
    '--cpus-per-task': '-c',
    '--dependency': '-d',
    '--error': '-e',
    '--exclude': '-x',
    '--export': undefined,
    '--gpus': '-G',
    '--gres': undefined,
    '--input': '-i',
    '--job-name': '-J',
    '--licenses': '-L',
    '--mail-type': undefined,
    '--mail-user': undefined,
    '--mem': undefined,
    '--nice': undefined,
    '--nodelist': '-w',
    '--nodes': '-N',
    '--ntasks': '-n',
    '--ntasks-per-node': undefined,
    '--open-mode': undefined,
    '--output': '-o',
    '--partition': '-p',
    '--priority': undefined,
    '--qos': '-q',
    '--reservation': undefined,
    '--signal': undefined,
    '--time': '-t',
  }),
)
const flags = new Map(
  Object.entries({
    '--exclusive': undefined,
    '--hold': '-H',
    '--no-requeue': undefined,
    '--parsable': undefined,
    '--quiet': '-Q',
    '--requeue': undefined,
  }),
)
const letters = new Map([...valued, ...flags].flatMap(([name, letter]) => (letter ? [[letter, name]] : [])))
const takesValue = new Set([
  ...valued.keys(),
  ...[...valued.values()].filter((letter) => letter !== undefined),
])
const isKnown = (name: string) => valued.has(name) || flags.has(name) || letters.has(name)

type Draft = { -readonly [K in keyof Asked]?: Asked[K] }

export function sbatch(call: Call, cluster: Cluster): Reply {
  const given = read(call.args)
  const [file] = given.operands
  const script = file === undefined ? call.stdin : readScript(resolve(call.cwd, file), file)
  const inScript = directivesOf(script, '#SBATCH').flatMap((words) => read(words).options)
  const asked: Draft = { cores: 1, depends: [], requeue: true, cwd: call.cwd, appends: false }
  // Of an option that is given twice, the command's counts: it is read last.
  const options = [...inScript, ...given.options].map(
    ([name, value]) => [letters.get(name) ?? name, value] as const,
  )
  for (const [name, value] of new Map(options)) readOption(asked, name, value, cluster)
  refuseWhatIsOver(asked, call, cluster)
  const job = cluster.submit(
    {
      name: file?.split('/').at(-1) ?? 'sbatch',
      cores: 1,
      depends: [],
      ...asked,
      script,
      submitArgs: file === undefined ? '(null)' : resolve(call.cwd, file),
      env: exported(call.env),
    },
    call,
  )
  const isParsable = given.options.some(([name]) => name === '--parsable')
  return { exitCode: 0, stdout: isParsable ? `${job.number}\n` : `Submitted batch job ${job.number}\n` }
}

function read(args: readonly string[]) {
  try {
    return readOptions(args, takesValue, isKnown)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    throw new Refused(`sbatch: ${error.message}\nTry "sbatch --help" for more information`, 255)
  }
}

function readScript(path: string, file: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Whatever is wrong with it, sbatch says this.
    throw new Refused(`sbatch: error: Unable to open file ${file}`)
  }
}

/** All of the environment goes along, but what of another job is in it. */
function exported(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(SLURM_|SBATCH_)/.test(name)))
}

const failed = (words: string) => new Refused(`sbatch: error: Batch job submission failed: ${words}`)
const invalid = (option: string) => new Refused(`sbatch: error: Invalid ${option} specification`, 255)

function readOption(asked: Draft, name: string, value: string, cluster: Cluster): void {
  const count = () => {
    if (!/^[1-9]\d*$/.test(value)) throw invalid(name)
    return Number(value)
  }
  const knows = (known: readonly string[], words: string) => {
    for (const one of value.split(/[,&|]/)) if (!known.includes(one)) throw failed(words)
  }
  switch (name) {
    case '--job-name':
      asked.name = value
      break
    case '--partition':
      if (!partitions.includes(value))
        throw new Refused(
          `sbatch: error: invalid partition specified: ${value}\nsbatch: error: Batch job submission failed: Invalid partition name specified`,
        )
      asked.queue = value
      break
    case '--qos':
      knows(['normal'], 'Invalid qos specification')
      break
    case '--constraint':
      knows(['cpu', 'gpu'], 'Invalid feature specification')
      break
    case '--nodelist':
    case '--exclude':
      knows([node], 'Invalid node name specified')
      break
    case '--reservation':
      throw failed('Requested reservation is invalid')
    case '--licenses':
      throw failed('Invalid license specification')
    case '--cpus-per-task':
    case '--ntasks':
    case '--ntasks-per-node':
      asked.cores = (asked.cores ?? 1) * count()
      break
    case '--mem': {
      const bytes = readBytes(value, 1024 ** 2)
      if (bytes === undefined) throw invalid(name)
      // 0 is all that the node has.
      if (bytes > 0) asked.memoryBytes = bytes
      break
    }
    case '--time': {
      const seconds = readClock(value, 60)
      if (seconds === undefined) throw invalid(name)
      asked.timeSeconds = seconds
      break
    }
    case '--signal':
      asked.warning = readSignal(value)
      break
    case '--array':
      asked.array = readArray(value)
      break
    case '--dependency':
      asked.depends = value.split(',').flatMap((text) => readDependency(text, cluster))
      break
    case '--hold':
      asked.held = true
      break
    case '--requeue':
    case '--no-requeue':
      asked.requeue = name === '--requeue'
      break
    case '--output':
      asked.output = value
      break
    case '--open-mode':
      asked.appends = value.startsWith('a')
      break
    case '--chdir':
      asked.cwd = value
      break
  }
}

/** [B:]NAME[@SECONDS]; a minute before the end where it does not say. Its time is known when all is read. */
function readSignal(value: string): NonNullable<Asked['warning']> {
  const [, to, name = '', seconds = '60'] = /^(?:([BR]+):)?(?:SIG)?(\w+)(?:@(\d+))?$/.exec(value) ?? []
  const signal = /^\d+$/.test(name)
    ? Object.entries(constants.signals).find(([, number]) => number === Number(name))?.[0]
    : `SIG${name}`
  if (signal === undefined || !(signal in constants.signals)) throw invalid('--signal')
  return {
    signal: signal as NodeJS.Signals,
    afterSeconds: -Number(seconds),
    toShellOnly: to?.includes('B') ?? false,
  }
}

function readArray(value: string): NonNullable<Asked['array']> {
  const [range = '', throttle] = value.split('%')
  const indexes = readIndexes(range)
  if (!indexes) throw failed('Invalid job array specification')
  return { indexes, ...(throttle === undefined ? {} : { throttle: Number(throttle) }) }
}

function readDependency(text: string, cluster: Cluster): Dependency[] {
  if (text === 'singleton') return []
  const [kind = '', ...ids] = text.split(':')
  if (!/^(after|afterok|afternotok|afterany)$/.test(kind) || ids.length === 0)
    throw failed('Job dependency problem')
  return ids.flatMap((id) => {
    const [found] = findAll(id.replace(/\+\d+$/, ''), cluster)
    if (!found) {
      // What Slurm has forgotten, or never knew, counts as over.
      if (/^\d+(_\d+)?$/.test(id)) return []
      throw failed('Job dependency problem')
    }
    const { job, member } = found
    const index = id.includes('_') ? member?.index : undefined
    return [{ kind: kind as Dependency['kind'], number: job.number, ...(index !== undefined && { index }) }]
  })
}

function refuseWhatIsOver(asked: Draft, { user }: Call, cluster: Cluster): void {
  const { maxTime, maxJobs, maxArraySize = 1000 } = cluster.knobs
  if (maxTime !== undefined && (asked.timeSeconds ?? maxTime) > maxTime)
    throw failed('Requested time limit is invalid (missing or exceeds some limit)')
  if (asked.array?.indexes.some((index) => index >= maxArraySize))
    throw failed('Invalid job array specification')
  if ((asked.memoryBytes ?? 0) > 2 ** 50)
    throw new Refused(
      'sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available',
    )
  // To Slurm each member of an array is a job.
  const own = [...cluster.jobs.values()].filter((job) => job.user === user && !isOver(job))
  const open = own.flatMap(({ members }) => members.filter((member) => phaseOf(member).state !== 'ended'))
  if (maxJobs !== undefined && open.length + (asked.array?.indexes.length ?? 1) > maxJobs)
    throw new Refused(
      "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    )
  const { warning, timeSeconds } = asked
  if (!warning) return
  // Without a limit there is no end to warn of.
  if (timeSeconds === undefined) delete asked.warning
  else {
    const afterSeconds = Math.max(0, timeSeconds + warning.afterSeconds)
    asked.warning = { ...warning, afterSeconds }
  }
}

/** The pattern of --output: https://slurm.schedmd.com/sbatch.html#SECTION_FILENAME-PATTERN */
export function outputPath(job: Job, member: Member): string | undefined {
  const pattern = job.output ?? (member.index === undefined ? 'slurm-%j.out' : 'slurm-%A_%a.out')
  const values: Record<string, string | number> = {
    A: job.number,
    a: member.index ?? 4_294_967_294,
    j: member.number ?? job.number,
    J: member.number ?? job.number,
    N: node,
    n: 0,
    t: 0,
    u: job.user,
    x: job.name,
    '%': '%',
  }
  // A backslash makes all else literal.
  const path = pattern.includes('\\')
    ? pattern.replaceAll(/\\(.)/g, '$1')
    : pattern.replaceAll(/%(\d*)([AajJNntux%])/g, (_, width: string, key: string) =>
        String(values[key]).padStart(Number(width), '0'),
      )
  return resolve(job.cwd ?? '/', path)
}
