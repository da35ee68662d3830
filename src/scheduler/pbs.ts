import { ConfigError } from '../core/errors.ts'
import type { Command } from '../core/shell.ts'
import { parseJobs, parseSubmitted, submitAnswers } from './pbs-answers.ts'
import { type NodeReader, parseCapacity } from './pbs-capacity.ts'
import { parseScriptSize, parseSubmitLimit, readServer, refusedSize } from './pbs-limits.ts'
import { readPbsNode } from './pbs-nodes.ts'
import { parseEveryone } from './pbs-queue.ts'
import {
  cancelScript,
  capacityScript,
  everyoneScript,
  historyScript,
  limitsScript,
  queryScript,
  submitScript,
} from './pbs-scripts.ts'
import { explainRefusal, readSubmit } from './refusal.ts'
import type { AfterJob, Directives, DirectiveTable, Scheduler } from './scheduler.ts'

function script(text: string, name: string, args: readonly string[] = []): Command {
  return { argv: ['sh', '-c', text, name, ...args] }
}

const list = (value: string | readonly string[]) => [value].flat()

/** Fifteen characters, none of them blank: what every PBS takes for a name. */
export function pbsName(name: string): string {
  const plain = name.replaceAll(/[^\w.+-]/gu, '_').replace(/^[^A-Za-z]/, 'f$&')
  return plain.slice(0, 15)
}

/** HH:MM:SS */
export function pbsTime(seconds: number): string {
  const whole = Math.ceil(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}

export const pbsMemory = (bytes: number) => `${Math.ceil(bytes / 1024)}kb`

const mailLetters: Record<string, string> = { BEGIN: 'b', END: 'e', FAIL: 'a', ALL: 'abe', NONE: 'n' }

/** Slurm's words, or PBS's own letters. */
export function pbsMail(value: string | readonly string[]): string {
  const letters = list(value)
    .flatMap((part) => part.split(','))
    .map((word) => mailLetters[word.toUpperCase()] ?? (/^([abej]+|n)$/.test(word) ? word : undefined))
  if (letters.includes(undefined))
    throw new ConfigError(
      'RESOURCE_UNSUPPORTED',
      `PBS cannot express mailType ${JSON.stringify(list(value).join(','))}`,
      {
        hint: "BEGIN, END, FAIL, ALL, NONE, or PBS's own letters: 'abe'",
      },
    )
  return [...new Set(letters.join(''))].join('')
}

/** An array is waited for as a whole. `ofArray`: the word for that. */
export function dependencyDirectives(ofArray: string) {
  const afterAny = (jobs: readonly AfterJob[]) =>
    jobs.map(({ nativeId }) => `${nativeId.includes('[]') ? ofArray : 'afterany'}:${nativeId}`)
  return {
    dependency: (value, { after = [] }) => `-W depend=${[...list(value), ...afterAny(after)].join(',')}`,
    after: (jobs, { dependency }) =>
      dependency === undefined ? `-W depend=${afterAny(jobs).join(',')}` : [],
  } satisfies Partial<DirectiveTable>
}

/** What lines of the header need no option for, since the shell that runs them is ours to say. */
export const commonDirectives = {
  name: (name) => `-N ${pbsName(name)}`,
  partition: (queue) => `-q ${queue}`,
  account: (account) => `-A ${account}`,
  timeSeconds: (seconds) => `-l walltime=${pbsTime(seconds)}`,
  nodes: 'composed',
  tasksPerNode: 'composed',
  cores: 'composed',
  memoryBytes: 'composed',
  gpus: 'composed',
  nodelist: 'composed',
  exclude: 'unsupported',
  ...dependencyDirectives('afterany'),
  priority: (priority) => `-p ${priority}`,
  mailType: (value) => `-m ${pbsMail(value)}`,
  mailUser: (user) => `-M ${user}`,
  // No option has a signal sent before the time limit.
  signal: 'unsupported',
  // PBS does not tell a job how often it was run: a second run could not be told from a first one.
  requeue: 'unsupported',
  licenses: 'unsupported',
  // The template writes it itself, as it is said: what PBS copies comes at the end, or not at all.
  log: 'composed',
  native: (lines) => lines,
} satisfies Partial<DirectiveTable>

/** What every job has: its own end alone decides, and its words go where the template sends them. */
export const commonLines = ['-S /bin/sh', '-j oe', '-o /dev/null', '-r n']

const directives: DirectiveTable = {
  ...commonDirectives,
  qos: 'unsupported',
  constraint: 'unsupported',
  // An advance reservation is a queue.
  reservation: (queue) => `-q ${queue}`,
  exclusive: (asked) => (asked ? '-l place=excl' : []),
  array: ({ size, concurrency, only }) => {
    const tasks = only?.length ?? size
    // A range has two numbers in it, of which a step of two leaves one.
    const range = tasks === 1 ? '0-1:2' : `0-${tasks - 1}`
    return `-J ${range}${concurrency === undefined ? '' : `%${concurrency}`}`
  },
}

/** https://help.altair.com: PBS Professional User's Guide, "Requesting Resources": one chunk for each node. */
function selectOf(all: Directives): string[] {
  const { nodes, tasksPerNode, cores, memoryBytes, gpus, nodelist } = all
  if ([nodes, tasksPerNode, cores, memoryBytes, gpus, nodelist].every((value) => value === undefined))
    return []
  if (gpus?.type !== undefined)
    throw new ConfigError('RESOURCE_UNSUPPORTED', `pbs cannot express gpus '${gpus.type}:${gpus.count}'`, {
      hint: `what kinds of GPUs are called differs from site to site: gpus: ${gpus.count}, or native: ['-l select=…']`,
    })
  const tasks = tasksPerNode ?? 1
  const chunk = [
    `ncpus=${(cores ?? 1) * tasks}`,
    ...(tasksPerNode === undefined ? [] : [`mpiprocs=${tasks}`]),
    ...(memoryBytes === undefined ? [] : [`mem=${pbsMemory(memoryBytes)}`]),
    ...(gpus === undefined ? [] : [`ngpus=${gpus.count}`]),
  ].join(':')
  const hosts = nodelist === undefined ? [] : list(nodelist).flatMap((part) => part.split(','))
  const count = nodes ?? 1
  if (hosts.length > count && nodes !== undefined)
    throw new ConfigError(
      'RESOURCE_UNSUPPORTED',
      `nodelist names ${hosts.length} nodes, and nodes is ${nodes}`,
      {
        hint: 'pbs gives a job each node that it names: make the two agree',
      },
    )
  const named = hosts.map((host) => `1:${chunk}:host=${host}`)
  const others = Math.max(0, count - hosts.length)
  const select = [...named, ...(others > 0 ? [`${others}:${chunk}`] : [])].join('+')
  const scatter = named.length + others > 1 && !all.exclusive ? ['-l place=scatter'] : []
  return [`-l select=${select}`, ...scatter]
}

/** What differs between those that speak PBS's commands. */
interface Member {
  readonly indexVariable: string
  /** The server's attribute that limits the members of an array. */
  readonly sizeAttribute: string
  /** Of `qstat --version`, for grep -i. */
  readonly versionLine: string
  readonly version: RegExp
  /** qstat's option for what has ended; '': it is in the queue for a while. */
  readonly endedOption: string
  readonly readNode: NodeReader
}

/** How each of them is asked. */
export function pbsCommands({
  indexVariable,
  sizeAttribute,
  versionLine,
  version,
  endedOption,
  readNode,
}: Member) {
  return {
    template: 'pbs.sh.liquid',
    prefix: '#PBS',
    array: {
      indexVariable,
      base: 0,
      dense: true,
      taskId: (nativeId, task) => nativeId.replace('[]', `[${task}]`),
      // max_array_size where the server does not say (PBS Professional Reference Guide); Torque's is unlimited then.
      defaultSize: 10_000,
      sizeLimit: () => script(limitsScript, 'qmgr'),
      parseSizeLimit: (result) => readServer(result, sizeAttribute),
      parseSubmitLimit,
      refusedSize,
    },
    restartCount: '0',
    launcher: 'mpirun',
    detect: () => ({
      argv: ['sh', '-c', `command -v qsub >/dev/null && qstat --version 2>&1 | grep -qi '${versionLine}'`],
    }),
    version: () => ({ argv: ['qstat', '--version'] }),
    parseVersion: ({ stdout, stderr }) => version.exec(`${new TextDecoder().decode(stdout)}${stderr}`)?.[1],

    capacity: () => script(capacityScript, 'qstat'),
    parseCapacity: (result) => parseCapacity(result, readNode),
    queue: (mine) => script(everyoneScript, 'qstat', [mine ? 'mine' : '']),
    parseQueue: parseEveryone,

    // The prefix may be another by the user's PBS_DPREFIX.
    submit: (file) => script(submitScript, 'qsub', ['-C', '#PBS', file]),
    parseSubmit: (result) => readSubmit(submitAnswers, result),
    explainSubmit: (result) => explainRefusal(submitAnswers, result),
    findSubmitted: { command: () => script(queryScript, 'qstat'), parse: parseSubmitted },

    query: () => script(queryScript, 'qstat'),
    parseQuery: parseJobs,
    history: (ids) => script(historyScript, 'qstat', [endedOption, ...ids]),
    parseHistory: parseJobs,
    cancel: (ids) => script(cancelScript, 'qdel', ids),
  } satisfies Partial<Scheduler>
}

/** OpenPBS and PBS Professional, from 19 on. */
export const pbs: Scheduler = {
  name: 'pbs',
  // PBS Professional Reference Guide, "Server Attributes".
  scriptSize: { usual: 100 * 2 ** 20, parse: parseScriptSize },
  aliases: ['openpbs', 'pbspro'],
  directives,
  compose: (all) => [...commonLines, ...selectOf(all)],
  ...pbsCommands({
    indexVariable: 'PBS_ARRAY_INDEX',
    sizeAttribute: 'max_array_size',
    // Torque's qstat has a version too, and calls it so.
    versionLine: 'pbs_version',
    version: /pbs_version\s*=\s*(\S+)/i,
    // Where the server keeps no history (job_history_enable), what has ended is not known to it.
    endedOption: '-x',
    readNode: readPbsNode,
  }),
}
