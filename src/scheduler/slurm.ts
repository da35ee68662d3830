import type { Command } from '../core/shell.ts'
import { explainRefusal, readSubmit } from './refusal.ts'
import type { AfterJob, Directives, DirectiveTable, Scheduler } from './scheduler.ts'
import { parseHistory, parseQuery, parseRecent, parseSubmitted, submitAnswers } from './slurm-answers.ts'
import { parseWhere } from './slurm-attach.ts'
import { parseCapacity, parseVersion } from './slurm-capacity.ts'
import { parseEveryone } from './slurm-queue.ts'
import { explainWaiting } from './slurm-reasons.ts'
import {
  besideScript,
  cancelScript,
  capacityScript,
  everyoneScript,
  historyScript,
  queryScript,
  recentScript,
  sizeLimitScript,
  submitScript,
  submittedScript,
  whereScript,
} from './slurm-scripts.ts'
import { parseScriptSize, parseSizeLimit, parseSubmitLimit } from './slurm-size.ts'
import { writeIndexes } from './snapshot.ts'

type Options = {
  readonly [K in keyof Required<Directives>]: (
    value: NonNullable<Directives[K]>,
    all: Directives,
  ) => readonly string[]
}

const one = (option: string) => (value: string | number) => [`--${option}=${value}`]
const list = (option: string) => (value: string | readonly string[]) => [
  `--${option}=${[value].flat().join(',')}`,
]

/** sbatch's options, each as one argument; https://slurm.schedmd.com/sbatch.html */
const options: Options = {
  name: one('job-name'),
  partition: one('partition'),
  account: one('account'),
  qos: one('qos'),
  nodes: one('nodes'),
  // Without a node count Slurm takes ntasks-per-node for a ceiling and starts one task.
  tasksPerNode: (tasks, { nodes }) => [...(nodes ? [] : ['--nodes=1']), `--ntasks-per-node=${tasks}`],
  cores: one('cpus-per-task'),
  // Slurm counts in MiB and calls them M.
  memoryBytes: (bytes) => [`--mem=${Math.ceil(bytes / 1024 ** 2)}M`],
  timeSeconds: (seconds) => [`--time=${slurmTime(seconds)}`],
  gpus: ({ count, type }) => [`--gres=gpu:${type ? `${type}:` : ''}${count}`],
  constraint: one('constraint'),
  reservation: one('reservation'),
  nodelist: list('nodelist'),
  exclude: list('exclude'),
  exclusive: (asked) => (asked ? ['--exclusive'] : []),
  licenses: list('licenses'),
  dependency: (asked, { after = [] }) => list('dependency')([...[asked].flat(), ...afterAny(after)]),
  after: (jobs, { dependency }) => (dependency === undefined ? list('dependency')(afterAny(jobs)) : []),
  priority: one('priority'),
  mailType: list('mail-type'),
  mailUser: one('mail-user'),
  // Without B: Slurm signals job steps alone, which few jobs have: the script's shell gets it, and passes it on.
  signal: (signal) => [`--signal=${/^[BR]+:/.test(signal) ? '' : 'B:'}${signal}`],
  requeue: (asked) => [asked ? '--requeue' : '--no-requeue'],
  array: ({ size, concurrency, only }) => [
    `--array=${only ? writeIndexes(only) : `0-${size - 1}`}${concurrency ? `%${concurrency}` : ''}`,
  ],
  // All members and restarts share the file.
  log: (path) => [`--output=${plainPath(path)}`, '--open-mode=append'],
  native: (lines) => lines,
}

const directives = Object.fromEntries(
  Object.entries(options).map(([key, write]) => [
    key,
    key === 'native' ? write : (value: never, all: Directives) => write(value, all).map(quoteDirective),
  ]),
) as unknown as DirectiveTable

/** A file name is a pattern: % starts a symbol, doubled it does not; one backslash makes all else literal but itself. */
function plainPath(path: string): string {
  return path.includes('\\') ? path.replaceAll('\\', '\\\\') : path.replaceAll('%', '%%')
}

/** More members of an array than that are waited for as a whole. */
const mostTasks = 20

/** `afterany:12:13_4`; jobs that Slurm has forgotten count as over. */
function afterAny(jobs: readonly AfterJob[]): string[] {
  const ids = jobs.flatMap(({ nativeId, members }) => {
    const [job] = nativeId.split(';')
    return members && members.length <= mostTasks ? members.map((member) => `${job}_${member}`) : [job!]
  })
  return ids.length === 0 ? [] : [`afterany:${ids.join(':')}`]
}

/** D-HH:MM:SS in whole minutes: Slurm's own resolution, rounded up. */
function slurmTime(seconds: number): string {
  const minutes = Math.ceil(seconds / 60)
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = `${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}:00`
  const days = Math.floor(minutes / 1440)
  return days > 0 ? `${days}-${clock}` : clock
}

/**
 * One option as sbatch reads it from a #SBATCH line: white space and # end it, either quote groups, and
 * a backslash escapes, within quotes too. No shell sees the line: $( ) and backticks are just characters.
 */
export function quoteDirective(option: string): string {
  const [, key, value] = /^(--[a-z-]+=)(.*)$/su.exec(option) ?? [undefined, '', option]
  if (/^[\w@%+=:,./[\]*&|~-]*$/.test(value!)) return option
  return `${key}"${value!.replaceAll(/[\\"]/g, '\\$&')}"`
}

/** What a directive line that needs no quoting says, as arguments. */
function nativeArguments(lines: readonly string[]): string[] {
  return lines.flatMap((line) => (/["'\\#]/.test(line) ? [] : line.trim().split(/\s+/)))
}

/** Slurm, from 20.02 on. */
export const slurm: Scheduler = {
  name: 'slurm',
  aliases: ['sbatch'],
  template: 'slurm.sh.liquid',
  prefix: '#SBATCH',
  directives,
  array: {
    indexVariable: 'SLURM_ARRAY_TASK_ID',
    base: 0,
    taskId(nativeId, member) {
      const [job, cluster] = nativeId.split(';')
      return `${job}_${member}${cluster ? `;${cluster}` : ''}`
    },
    // MaxArraySize caps the index, which starts at 0; 1001 where slurm.conf does not say
    // (https://slurm.schedmd.com/slurm.conf.html#OPT_MaxArraySize).
    defaultSize: 1001,
    sizeLimit: () => script(sizeLimitScript, 'scontrol', []),
    parseSizeLimit,
    parseSubmitLimit,
    refusedSize: (said) => (/Invalid job array specification/i.test(said) ? {} : undefined),
  },
  // https://slurm.schedmd.com/slurm.conf.html#OPT_max_script_size
  scriptSize: { usual: 4 * 2 ** 20, parse: parseScriptSize },
  restartCount: '${SLURM_RESTART_COUNT:-0}',
  launcher: 'srun',
  detect: () => ({ argv: ['sh', '-c', 'command -v sbatch && command -v squeue'] }),

  version: () => ({ argv: ['sinfo', '--version'] }),
  parseVersion,
  capacity: () => script(capacityScript, 'sinfo', []),
  parseCapacity,
  queue: (mine) => script(everyoneScript, 'squeue', [mine ? 'mine' : '']),
  parseQueue: parseEveryone,

  // The options go with the command as well: SBATCH_ variables override #SBATCH lines, but not arguments.
  submit(file, all) {
    const argv: string[] = []
    for (const key of Object.keys(options) as (keyof Directives)[])
      if (all[key] !== undefined && key !== 'native') argv.push(...options[key](all[key] as never, all))
    return script(submitScript, 'sbatch', ['--parsable', ...argv, ...nativeArguments(all.native ?? []), file])
  },
  parseSubmit: (result) => readSubmit(submitAnswers, result),
  explainSubmit: (result) => explainRefusal(submitAnswers, result),
  findSubmitted: {
    command: () => script(submittedScript, 'squeue', []),
    parse: parseSubmitted,
  },

  query: (ids) =>
    script(queryScript, 'squeue', [...new Set(['.', ...ids.flatMap((id) => id.split(';')[1] ?? [])])]),
  parseQuery,
  history: (ids) => script(historyScript, 'sacct', byCluster(ids)),
  parseHistory,
  recent: (ids) => script(recentScript, 'scontrol', ids),
  parseRecent,
  explainWaiting,
  cancel: (ids) => script(cancelScript, 'scancel', byCluster(ids)),
  attach: {
    where(nativeId, member) {
      const [job, cluster = ''] = nativeId.split(';')
      return script(whereScript, 'squeue', [member === undefined ? job! : `${job}_${member}`, cluster])
    },
    parseWhere,
    beside: ({ nativeId, node }, argv, terminal) =>
      script(besideScript, 'srun', [nativeId, node, terminal ? '--pty' : '', ...argv]).argv,
  },
}

function script(text: string, name: string, args: readonly string[]): Command {
  return { argv: ['sh', '-c', text, name, ...args] }
}

/** '1,2' and '3,4;other': what one command can be asked; in parts, as Linux takes 128 KiB an argument. */
function byCluster(ids: readonly string[]): string[] {
  const groups = new Map<string, string[]>()
  for (const id of ids) {
    const [job, cluster = ''] = id.split(';')
    groups.set(cluster, [...(groups.get(cluster) ?? []), job!])
  }
  return [...groups].flatMap(([cluster, jobs]) => {
    const parts: string[] = []
    for (let from = 0; from < jobs.length; from += 2_000)
      parts.push(jobs.slice(from, from + 2_000).join(',') + (cluster && `;${cluster}`))
    return parts
  })
}
