import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Asked, Call, Cluster, Reply } from './model.ts'
import { isOver, Refused } from './model.ts'
import { directivesOf, readClock, readIndexes } from './options.ts'
import { parallelEnvironments, queues, resources } from './sge-site.ts'

/** Options of qsub, and how many words follow each; https://gridscheduler.sourceforge.net/htmlman/htmlman1/qsub.html */
const arity: Readonly<Record<string, number>> = {
  '-A': 1,
  '-M': 1,
  '-N': 1,
  '-P': 1,
  '-R': 1,
  '-S': 1,
  '-V': 0,
  '-a': 1,
  '-ar': 1,
  '-b': 1,
  '-cwd': 0,
  '-e': 1,
  '-h': 0,
  '-hard': 0,
  '-hold_jid': 1,
  '-i': 1,
  '-j': 1,
  '-l': 1,
  '-m': 1,
  '-notify': 0,
  '-now': 1,
  '-o': 1,
  '-p': 1,
  '-pe': 2,
  '-q': 1,
  '-r': 1,
  '-soft': 0,
  '-sync': 1,
  '-t': 1,
  '-tc': 1,
  '-terse': 0,
  '-v': 1,
  '-w': 1,
  '-wd': 1,
}

type Draft = { -readonly [K in keyof Asked]?: Asked[K] } & {
  resources: string[]
  pe?: readonly [name: string, slots: number]
}

export function qsub(call: Call, cluster: Cluster): Reply {
  const given = read(call.args)
  const [file] = given.operands
  const script = file === undefined ? call.stdin : readScript(resolve(call.cwd, file), file)
  const inScript = directivesOf(script, '#$').flatMap((words) => read(words).options)
  // Of an option that is given twice, the command's counts: it is read last.
  const options = [...inScript, ...given.options]
  const asked: Draft = { cores: 1, depends: [], requeue: false, resources: [] }
  for (const [name, values] of options) readOption(asked, name, values, call, cluster)
  const verifies = options.findLast(([name]) => name === '-w')?.[1][0]
  const impossible = whyNever(asked, cluster)
  if (verifies === 'v')
    return { exitCode: 1, stdout: `${[...impossible, 'verification: no suitable queues'].join('\n')}\n` }
  if (verifies === 'e' && impossible.length > 0) throw refused('error: no suitable queues')
  refuseWhatIsOver(asked, call, cluster)
  const { resources: _, pe: __, ...rest } = asked
  const job = cluster.submit(
    {
      name: file?.split('/').at(-1) ?? 'STDIN',
      cores: 1,
      depends: [],
      ...rest,
      ...limitsOf(asked),
      script,
      submitArgs: file ?? 'STDIN',
      category: categoryOf(asked),
      env: exported(call, options),
    },
    call,
  )
  const indexes = job.array?.indexes ?? []
  const tasks = job.array ? `.${indexes[0]}-${indexes.at(-1)}:1` : ''
  const isTerse = options.some(([name]) => name === '-terse')
  if (isTerse) return { exitCode: 0, stdout: `${job.number}${tasks}\n` }
  const what = job.array ? 'job-array' : 'job'
  return { exitCode: 0, stdout: `Your ${what} ${job.number}${tasks} ("${job.name}") has been submitted\n` }
}

function read(args: readonly string[]) {
  const options: [name: string, values: string[]][] = []
  for (let at = 0; at < args.length; at++) {
    const name = args[at]!
    if (!name.startsWith('-')) return { options, operands: args.slice(at) }
    const count = arity[name]
    if (count === undefined) throw new Refused(`qsub: invalid option argument "${name}"`, 2)
    options.push([name, args.slice(at + 1, at + 1 + count)])
    at += count
  }
  return { options, operands: [] }
}

function readScript(path: string, file: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Whatever is wrong with it, it is told so.
    const words = `error opening ${file}: No such file or directory`
    throw new Refused(`Unable to read script file because of error: ${words}`, 14)
  }
}

const refused = (words: string, exitCode = 1) =>
  new Refused(`Unable to run job: ${words}\nExiting.`, exitCode)

/** What a job has of the environment of its submission, beside what a login gives it. */
function exported({ env, user }: Call, options: readonly [string, string[]][]): Record<string, string> {
  const { HOME = '/' } = env
  const login = { HOME, USER: user, LOGNAME: user, PATH: '/usr/local/bin:/usr/bin:/bin', SGE_O_HOME: HOME }
  const isAll = options.some(([name]) => name === '-V')
  const variables = options
    .filter(([name]) => name === '-v')
    .flatMap(([, [list = '']]) => list.split(','))
    .map((one) => /^([^=]*)(?:=(.*))?$/s.exec(one)!)
    .flatMap(([, name, value = env[name!]]) => (value === undefined ? [] : [[name!, value] as const]))
  return { ...login, ...(isAll ? env : {}), ...Object.fromEntries(variables), HOME, USER: user }
}

function readOption(
  asked: Draft,
  name: string,
  values: readonly string[],
  call: Call,
  cluster: Cluster,
): void {
  const [value = '', second = ''] = values
  switch (name) {
    case '-N':
      if (value.includes('/')) throw new Refused('qsub: argument to -N option must not contain /', 2)
      if (/\s/.test(value)) throw refused("Space (' ') not allowed in objectname")
      if (/^\d/.test(value))
        throw refused(`denied: "${value}" is not a valid object name (cannot start with a digit)`)
      asked.name = value
      break
    case '-S':
      asked.shell = value
      break
    case '-o':
      asked.output = value.replace(/^:/, '')
      break
    case '-cwd':
      asked.cwd = call.cwd
      break
    case '-wd':
      asked.cwd = value
      break
    case '-h':
      asked.held = true
      break
    case '-r':
      if (!/^(y|yes|n|no)$/.test(value)) throw new Refused(`qsub: invalid option argument "-r ${value}"`, 7)
      asked.requeue = value.startsWith('y')
      break
    case '-q':
      for (const queue of value.split(','))
        if (!queues.includes(queue.split('@')[0]!))
          throw refused(`Job was rejected because job requests unknown queue "${queue}"`)
      asked.queue = value
      break
    case '-P':
      throw refused(`job rejected: the requested project "${value}" does not exist`)
    case '-ar':
      throw refused(`the advance reservation id ${value} is invalid`)
    case '-p':
      if (Number(value) > 0)
        throw refused('job rejected: positive submission priority requires operator privileges')
      break
    case '-pe':
      if (!parallelEnvironments.includes(value))
        throw refused(`job rejected: the requested parallel environment "${value}" does not exist`)
      asked.pe = [value, Number(second)]
      asked.cores = Number(second)
      break
    case '-l':
      for (const part of value.split(',')) asked.resources.push(checkResource(part))
      break
    case '-hold_jid':
      // What is not known, or over, is not waited for.
      asked.depends = value.split(',').flatMap((id) => {
        const number = Number(/^\d+$/.exec(id)?.[0])
        return cluster.jobs.has(number) ? [{ kind: 'afterany' as const, number }] : []
      })
      break
    case '-t': {
      if (/^0/.test(value)) throw refused('job rejected: 0 is an invalid task id')
      const indexes = readIndexes(/^\d+$/.test(value) ? `1-${value}` : value)
      if (!indexes) throw new Refused(`qsub: Numeric value of task range "${value}" is invalid.`, 1)
      asked.array = { ...asked.array, indexes }
      break
    }
    case '-tc':
      if (!/^\d+$/.test(value))
        throw new Refused(
          `qsub: invalid task concurrency number "${value}". Must be an integer greater or equal to 0.`,
        )
      if (Number(value) > 0) asked.array = { indexes: asked.array?.indexes ?? [], throttle: Number(value) }
      break
  }
}

/** name=value, as it is; what is not of its type is refused. */
function checkResource(text: string): string {
  const [, name = text, value = 'TRUE'] = /^([\w.]+)=(.*)$/s.exec(text) ?? []
  const type = resources.find((resource) => resource.name === name)?.type
  if (type === undefined) throw refused(`unknown resource "${name}"`)
  const [read, words] = types[type]
  if (read(value) === undefined) throw refused(`attribute "${name}" is not a ${words} value`)
  return text
}

const readTime = (text: string) => (/^\d+$/.test(text) ? Number(text) : readClock(text, 1))

/** 1G, 1200M, 500k (thousands), a number of bytes. */
function readMemory(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([kKmMgGtT]?)$/.exec(text) ?? []
  if (number === undefined) return undefined
  const power = ['', 'k', 'm', 'g', 't'].indexOf(unit.toLowerCase())
  return Number(number) * (unit === unit.toLowerCase() ? 1000 : 1024) ** power
}

const types = {
  MEMORY: [readMemory, 'memory'],
  TIME: [readTime, 'time'],
  INT: [(text: string) => /^\d+$/.exec(text)?.[0], 'integer'],
  OTHER: [(text: string) => text, 'string'],
} as const

/** Memory is for each slot. The soft limit of time warns by SIGUSR1. */
function limitsOf({ resources: asked, cores = 1 }: Draft): Partial<Asked> {
  const of = (name: string) => asked.findLast((text) => text.startsWith(`${name}=`))?.slice(name.length + 1)
  const time = readTime(of('h_rt') ?? '')
  const soft = readTime(of('s_rt') ?? '')
  const memory = readMemory(of('h_vmem') ?? '')
  return {
    ...(time === undefined ? {} : { timeSeconds: time }),
    ...(memory === undefined ? {} : { virtualBytes: memory * cores }),
    ...(soft === undefined ? {} : { warning: { signal: 'SIGUSR1', afterSeconds: soft } }),
  }
}

/** Why no queue could ever start it, in the words of -w v. */
function whyNever(asked: Draft, { knobs }: Cluster): string[] {
  const { timeSeconds = 0 } = limitsOf(asked)
  const words: string[] = []
  if (asked.pe && asked.pe[1] > (knobs.cores ?? 4))
    words.push(`Job 1 cannot run in PE "${asked.pe[0]}" because it only offers 0 slots`)
  if (knobs.maxTime !== undefined && timeSeconds > knobs.maxTime)
    for (const queue of asked.queue?.split(',') ?? queues)
      words.push(`Job 1 (-l h_rt=${timeSeconds}) cannot run in queue "${queue}" because of cluster queue`)
  return words
}

function refuseWhatIsOver(asked: Draft, { user }: Call, cluster: Cluster): void {
  const { maxArraySize = 1000, maxJobs } = cluster.knobs
  if ((asked.array?.indexes.length ?? 0) > maxArraySize)
    throw refused(`job rejected: you tried to submit a job with more than ${maxArraySize} tasks`)
  const own = [...cluster.jobs.values()].filter((job) => job.user === user && !isOver(job))
  if (maxJobs !== undefined && own.length >= maxJobs)
    throw refused(
      `job rejected: only ${maxJobs} jobs are allowed per user (current job count: ${own.length})`,
      25,
    )
}

/** '-l h_vmem=650M -pe smp 2' */
function categoryOf({ resources: asked, pe, queue }: Draft): string {
  const parts = [
    ...(queue === undefined ? [] : [`-q ${queue}`]),
    ...(asked.length === 0 ? [] : [`-l ${asked.join(',')}`]),
    ...(pe ? [`-pe ${pe.join(' ')}`] : []),
  ]
  return parts.join(' ') || 'NONE'
}
