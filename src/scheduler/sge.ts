import { ConfigError } from '../core/errors.ts'
import { type Command, shellJoin } from '../core/shell.ts'
import { parseWarning } from '../core/warning-signal.ts'
import { oneNode } from './directives.ts'
import { explainRefusal, readSubmit } from './refusal.ts'
import type { Directives, DirectiveTable, Scheduler } from './scheduler.ts'
import { parseHistory, parseQuery, parseSubmitted, parseWhere, submitAnswers } from './sge-answers.ts'
import { capacityResources, parseCapacity, parseVersion } from './sge-capacity.ts'
import { parseEveryone } from './sge-queue.ts'
import { explainWaiting } from './sge-reasons.ts'
import {
  besideScript,
  cancelScript,
  capacityScript,
  everyoneScript,
  historyScript,
  queryScript,
  siteScript,
  submitScript,
  submittedScript,
  whereScript,
} from './sge-scripts.ts'
import { readSite, type SgeSite, usualSite } from './sge-site.ts'

/** A value as qsub reads it from a #$ line: quotes group, none can be had inside, and # ends the line even there. */
function word(value: string, where: string): string {
  if (/["'#]/.test(value))
    throw new ConfigError(
      'VALUE_UNSAFE',
      `${where}: ${JSON.stringify(value)} holds a quote or #, which Grid Engine has no way to write`,
    )
  return /^[\w@%+=:,./!()|&*~[\]{}-]+$/.test(value) ? value : `"${value}"`
}

const list = (value: string | readonly string[]) => [value].flat().join(',')

const one = (option: string, where: string) => (value: string | number | readonly string[]) =>
  `${option} ${word(list(value as string), where)}`

/**
 * Grid Engine takes few characters in a name, and no digit first; what it does not take is told by `_`, and the name of
 * farcall's own record stays whole.
 */
export function jobName(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^\w.+=-]/g, '_')
    .slice(0, 200)
  return /^([0-9.+=-]|(none|all|template)$)/i.test(plain) || plain === '' ? `_${plain}` : plain
}

/** Slots of a job: one for each core of each of its processes, all on one node. */
const slotsOf = ({ cores = 1, tasksPerNode = 1 }: Directives) => cores * tasksPerNode

/** Units of what a slot gets, of what the job asks for. */
function share(total: number, { perSlot }: { perSlot: boolean }, slots: number): number {
  return perSlot ? total / slots : total
}

function slotLines({ parallelEnvironment }: SgeSite, slots: number): string[] {
  if (slots === 1) return []
  if (parallelEnvironment !== undefined)
    return [`-pe ${word(parallelEnvironment, 'gridEngine.parallelEnvironment')} ${slots}`]
  throw new ConfigError(
    'RESOURCE_UNSUPPORTED',
    'sge: no parallel environment of this site keeps a job on one node',
    {
      hint: '`qconf -spl` lists them: set gridEngine.parallelEnvironment in the profile',
    },
  )
}

const GiB = 1024 ** 3

/**
 * Of an address space: Node takes near 1 GB of it before it runs anything, most of which it never uses, and its heap is to
 * reach the 85 % of the memory that it is given.
 */
function addressSpace(memoryBytes: number, { tasksPerNode = 1 }: Directives): number {
  // Several processes have one that leads them, and a launcher.
  const processes = tasksPerNode === 1 ? 1 : tasksPerNode + 2
  return Math.max(memoryBytes, 0.85 * memoryBytes + processes * GiB)
}

function memoryLines({ memory }: SgeSite, bytes: number, all: Directives): string[] {
  if (memory.length === 0)
    throw new ConfigError('RESOURCE_UNSUPPORTED', 'sge: no resource of this site stands for memory', {
      hint: '`qconf -sc` lists them: set gridEngine.memoryResource in the profile',
    })
  return memory.map((resource) => {
    const total = resource.name === 'h_vmem' ? addressSpace(bytes, all) : bytes
    return `-l ${resource.name}=${Math.ceil(share(total, resource, slotsOf(all)) / 1024 ** 2)}M`
  })
}

function gpuLine(
  { gpus }: SgeSite,
  { count, type }: { count: number; type?: string },
  slots: number,
): string {
  const refuse = (why: string, hint: string) => {
    throw new ConfigError('RESOURCE_UNSUPPORTED', `sge: ${why}`, { hint })
  }
  if (!gpus)
    return refuse(
      'no resource of this site stands for GPUs',
      '`qconf -sc` lists them: set gridEngine.gpuResource in the profile',
    ) as never
  if (type !== undefined)
    return refuse(
      `a kind of GPU (${type}) has no name of its own in Grid Engine`,
      "ask for it as the site does: gpus: 1, constraint: 'gpu_type=…'",
    ) as never
  const each = share(count, gpus, slots)
  if (!Number.isInteger(each))
    return refuse(
      `${gpus.name} is counted for each slot here, and ${count} cannot be split over ${slots} cores`,
      `ask for cores that divide ${count}, or for a multiple of ${slots} GPUs`,
    ) as never
  return `-l ${gpus.name}=${each}`
}

/** 'matlab:2' as Grid Engine counts it, by a resource of that name. */
function licenseLine(license: string): string {
  const [, name, count = '1'] = /^(.*?)(?::(\d+))?$/s.exec(license)!
  return `-l ${word(`${name}=${count}`, 'licenses')}`
}

/** Slurm's words for when it mails, too: BEGIN, END, FAIL. */
const mailLetters: Readonly<Record<string, string>> = {
  BEGIN: 'b',
  END: 'e',
  FAIL: 'a',
  ALL: 'bea',
  REQUEUE: '',
  NONE: 'n',
}

function mailLine(types: string | readonly string[]): string {
  const letters = [types]
    .flat()
    .flatMap((type) => type.split(','))
    .map((type) => mailLetters[type.toUpperCase()] ?? type)
  return `-m ${word(letters.join('') || 'n', 'mailType')}`
}

/** The soft limit is the one warning that comes at a time of the job's choice, and its signal is SIGUSR1. */
function warningLine({ signal, timeSeconds }: Directives): readonly string[] {
  if (signal === undefined) return []
  const warning = parseWarning(signal)
  if (warning?.name !== 'USR1' || warning.seconds === 0)
    throw new ConfigError('OPTION_INVALID', `signal: '${signal}' is no warning that Grid Engine can give`, {
      hint: "write it like 'USR1@90': Grid Engine warns by USR1 alone, and native: ['-notify'] has it send USR2 before it kills",
    })
  if (timeSeconds === undefined || timeSeconds <= warning.seconds)
    throw new ConfigError(
      'OPTION_INVALID',
      `signal: '${signal}' warns of a time limit, and there is none that long`,
      {
        hint: "say how long it may run: time: '1h'",
      },
    )
  return [`-l s_rt=${Math.ceil(timeSeconds - warning.seconds)}`]
}

/** Nodes by name: those that it may run on, and those that it may not. */
function hostLine({ nodelist, exclude }: Directives): readonly string[] {
  const names = (value: string | readonly string[]) =>
    [value]
      .flat()
      .flatMap((text) => text.split(','))
      .join('|')
  const parts = [
    ...(nodelist === undefined ? [] : [`(${names(nodelist)})`]),
    ...(exclude === undefined ? [] : [`!(${names(exclude)})`]),
  ]
  return parts.length === 0 ? [] : [`-l ${word(`hostname=${parts.join('&')}`, 'nodelist')}`]
}

/** The log in a folder whose name -o would read otherwise: `$`, a host before a colon, a list; there is none then. */
function logLine(path: string): string[] {
  return /[$:,"'#\\]/.test(path) ? ['-j y', '-o /dev/null'] : ['-j y', `-o ${word(path, 'workdir')}`]
}

function directivesOf(site: SgeSite): DirectiveTable {
  return {
    name: (name) => `-N ${jobName(name)}`,
    cores: (_, all) => slotLines(site, slotsOf(all)),
    // Where cores are asked for, they have said it.
    tasksPerNode: (_, all) => (all.cores === undefined ? slotLines(site, slotsOf(all)) : []),
    nodes: (count) =>
      oneNode(
        count,
        'sge',
        "; native: ['-pe …'] asks for slots on others, for what your function starts there",
      ),
    memoryBytes: (bytes, all) => memoryLines(site, bytes, all),
    timeSeconds: (seconds) => `-l h_rt=${Math.ceil(seconds)}`,
    gpus: (gpus, all) => gpuLine(site, gpus, slotsOf(all)),
    partition: one('-q', 'partition'),
    account: one('-P', 'account'),
    constraint: one('-l', 'constraint'),
    reservation: one('-ar', 'reservation'),
    nodelist: 'composed',
    exclude: 'composed',
    exclusive(asked) {
      if (!asked) return []
      if (site.exclusive !== undefined) return `-l ${site.exclusive}=true`
      throw new ConfigError(
        'RESOURCE_UNSUPPORTED',
        'sge: this site has no resource that gives a whole node',
        {
          hint: 'leave exclusive out, or ask for as many cores as a node has',
        },
      )
    },
    licenses: (licenses) =>
      [licenses]
        .flat()
        .flatMap((text) => text.split(','))
        .map(licenseLine),
    dependency: (asked, { after = [] }) =>
      one('-hold_jid', 'dependency')([...[asked].flat(), ...after.map(({ nativeId }) => nativeId)]),
    // Tasks of an array cannot be waited for one by one.
    after: (jobs, { dependency }) =>
      dependency === undefined ? one('-hold_jid', 'after')(jobs.map(({ nativeId }) => nativeId)) : [],
    priority: (priority) => `-p ${priority}`,
    mailType: mailLine,
    mailUser: one('-M', 'mailUser'),
    signal: 'composed',
    requeue: (asked) => `-r ${asked ? 'y' : 'n'}`,
    qos: 'unsupported',
    // Its tasks are always the first ones: those of an attempt for only some members are told apart by the script.
    array: ({ size, concurrency, only }) => [
      `-t 1-${only?.length ?? size}`,
      ...(concurrency ? [`-tc ${concurrency}`] : []),
    ],
    log: logLine,
    native: (lines) => lines,
  }
}

/** What the lines do not say by themselves. */
function notesOf(site: SgeSite, all: Directives): string[] {
  const { memoryBytes, gpus } = all
  const slots = slotsOf(all)
  const split = site.memory.filter(({ perSlot }) => perSlot).map(({ name }) => name)
  return [
    ...(memoryBytes !== undefined && slots > 1 && split.length > 0
      ? [`${split.join(', ')} is for each of the ${slots} slots: memory was divided by them`]
      : []),
    ...(memoryBytes !== undefined && site.memory.some(({ name }) => name === 'h_vmem')
      ? [
          'h_vmem limits the address space, of which Node reserves near 1 GB: that much is added to a small memory',
        ]
      : []),
    ...(gpus !== undefined && slots > 1 && site.gpus?.perSlot
      ? [`${site.gpus.name} is for each of the ${slots} slots: the GPUs were divided by them`]
      : []),
    ...(site.asked || (memoryBytes === undefined && slots === 1 && gpus === undefined)
      ? []
      : [
          'the site was not asked yet which parallel environment and resources it has: this is how Grid Engine comes',
        ]),
  ]
}

/** What was found out about a site, in words. */
function siteWords(site: SgeSite): string[] {
  const each = ({ name, perSlot, counted }: { name: string; perSlot: boolean; counted: boolean }) =>
    `${name}${perSlot ? ' for each slot' : ''}${counted ? '' : ' (not counted)'}`
  return [
    site.parallelEnvironment === undefined
      ? 'no parallel environment for several cores (gridEngine.parallelEnvironment names one)'
      : `cores by parallel environment ${site.parallelEnvironment}`,
    site.memory.length === 0
      ? 'no resource for memory (gridEngine.memoryResource names one)'
      : `memory by ${site.memory.map(each).join(' and ')}`,
    site.gpus === undefined
      ? 'no resource for GPUs (gridEngine.gpuResource names one)'
      : `GPUs by ${each(site.gpus)}`,
    ...(site.maxJobs === undefined ? [] : [`${site.maxJobs} jobs at once, an array counts as one`]),
  ]
}

function dialect(site: SgeSite): Scheduler {
  return {
    name: 'sge',
    aliases: ['gridengine', 'uge', 'ge'],
    template: 'sge.sh.liquid',
    prefix: '#$',
    directives: directivesOf(site),
    // -S, for what a queue takes for the shell may be csh; -w e, for a job that no queue could ever start is refused at once.
    compose: (all) => ['-S /bin/sh', '-w e', ...hostLine(all), ...warningLine(all)],
    notes: (all) => notesOf(site, all),
    site: {
      ask: () => script(siteScript, 'qconf', []),
      adapt: (answer, profile) => dialect(readSite(answer, profile)),
      ...(site.asked && { words: siteWords(site) }),
    },
    array: {
      indexVariable: 'SGE_TASK_ID',
      base: 1,
      dense: true,
      taskId: (nativeId, task) => `${nativeId}.${task + 1}`,
      defaultSize: site.maxArrayTasks,
      ...(site.maxJobs === undefined ? {} : { maxSubmissions: site.maxJobs }),
      refusedSize(said) {
        const most = /submit a job with more than (\d+) tasks/i.exec(said)?.[1]
        return most === undefined ? undefined : { most: Number(most) }
      },
      refusedSubmissions(said) {
        const most = /only (\d+) jobs are allowed per user/i.exec(said)?.[1]
        return most === undefined ? undefined : Number(most)
      },
    },
    restartCount: '$(farcall_count_restarts)',
    detect: () => ({
      argv: ['sh', '-c', 'command -v qsub && command -v qconf && { [ -n "$SGE_ROOT" ] || qconf -sss; }'],
    }),
    version: () => ({ argv: ['sh', '-c', 'qstat -help 2>&1 | head -n 1'] }),
    parseVersion,
    capacity: () => script(capacityScript, 'qstat', [capacityResources(site).join(',')]),
    parseCapacity: (result) => parseCapacity(result, site),
    queue: (mine) => script(everyoneScript, 'qstat', [mine ? 'mine' : '']),
    parseQueue: (result) => parseEveryone(result, site),
    submit: (file) => script(submitScript, 'qsub', [file]),
    parseSubmit: (result) => readSubmit(submitAnswers, result),
    explainSubmit: (result) => explainRefusal(submitAnswers, result),
    findSubmitted: { command: () => script(submittedScript, 'qstat', []), parse: parseSubmitted },
    query: () => script(queryScript, 'qstat', []),
    parseQuery,
    history: (ids) => script(historyScript, 'qacct', ids),
    parseHistory,
    explainWaiting,
    cancel: (ids) => script(cancelScript, 'qdel', ids),
    attach: {
      where: (nativeId, member) =>
        script(whereScript, 'qstat', [nativeId, member === undefined ? '' : String(member)]),
      parseWhere,
      beside: ({ node }, argv, terminal) =>
        script(besideScript, 'ssh', [node, terminal ? '-t' : '', shellJoin(argv), ...argv]).argv,
    },
  }
}

function script(text: string, name: string, args: readonly string[]): Command {
  return { argv: ['sh', '-c', text, name, ...args] }
}

/** Grid Engine: 8.1 of Debian, and those like it. */
export const sge: Scheduler = dialect(usualSite)
