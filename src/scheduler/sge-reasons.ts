import type { ResolvedResources } from '../core/resources.ts'
import { formatMemory, formatSeconds } from '../core/units.ts'
import type { Waiting } from './scheduler.ts'

const askSite = 'ask your site'
const clear = 'once that is mended, `qmod -cj JOB` lets it try again; else cancel it'

/** What the scheduler says of one queue or host (`qstat -j`, scheduling info), and what that means for the job. First match counts. */
const infos: readonly (readonly [
  says: RegExp,
  words: string | ((asked: ResolvedResources, match: RegExpExecArray) => string),
])[] = [
  [
    /job dependencies|waiting.*predecessor|jid_predecessor/i,
    'waiting for the jobs that it depends on to end',
  ],
  [
    /exceeds limit "?([^"]*)"? in rule "?([^"\s]*)/,
    (_, match) =>
      `a quota of the site allows no more at once (rule ${match[2]}; \`qquota\` shows it); it waits for other jobs to end`,
  ],
  [
    /cannot run in PE "([^"]*)" because it only offers (\d+) slots/,
    ({ cores }, match) =>
      Number(match[2]) === 0
        ? `waiting for ${cores ?? 'enough'} slots of parallel environment ${match[1]} to become free`
        : `parallel environment ${match[1]} has ${match[2]} of the ${cores ?? 'needed'} slots free now`,
  ],
  [
    /\(-l ([^)]*)\) cannot run .*because it offers only (\S+)/,
    (_, match) => `waiting for ${match[1]}: a node offers only ${match[2]} now`,
  ],
  [
    /\(-l ([^)]*)\) cannot run in queue "([^"]*)" because of cluster queue/,
    (_, match) =>
      `queue ${match[2]} does not allow ${match[1]}; unless that is changed it will not start there: cancel it, and ask for less, or set another resources.partition`,
  ],
  [/due to 'max_aj_instances'/, 'the site lets no more tasks of one array run at once'],
  [
    /dropped because it is (temporarily not available|disabled)/,
    'queues that it could run in are not available now',
  ],
  [/dropped because it is overloaded/, 'the nodes that it could run on are overloaded now'],
  [
    /dropped because it is full/,
    ({ cores, memoryBytes, timeSeconds }) => {
      const asked = [
        ...(cores === undefined ? [] : [`${cores} core${cores === 1 ? '' : 's'}`]),
        ...(memoryBytes === undefined ? [] : [formatMemory(memoryBytes)]),
        ...(timeSeconds === undefined ? [] : [formatSeconds(timeSeconds)]),
      ]
      return `waiting for ${asked.length > 0 ? asked.join(', ') : 'a slot'} to become free`
    },
  ],
  [
    /because it is not contained in its hard (queue list|.*host list)|has no permission|project/i,
    'its queues are full or may not be used',
  ],
]

/** Of an Eqw, by what its error says. First match counts. */
const errors: readonly (readonly [says: RegExp, words: string])[] = [
  [
    /can.t (open|stat) output file|opening (input\/)?output/i,
    'its node could not open its log in the work folder: is that folder on all nodes (workdir in the profile)?',
  ],
  [
    /exit_status of job start = 100/,
    'it ended with exit code 100, which Grid Engine takes for an error to look at;',
  ],
  [/password entry|unknown user|no such user/i, `its node does not know your account: ${askSite};`],
  [/chdir|change.*directory|find.*shell/i, `its node lacks your home, or the shell: ${askSite};`],
  [/prolog|pe_?start/i, `the site's preparations (prolog) failed: ${askSite};`],
]

export const inError = 'in error state: '

/**
 * Why a job waits: the error of one that could not start, or the scheduling info of `qstat -j`. Sites that have turned that
 * off (schedd_job_info) say nothing.
 */
export function explainWaiting(reason: string, asked: ResolvedResources): Waiting | undefined {
  if (reason.startsWith(inError)) {
    const known = errors.find(([says]) => says.test(reason))?.[1]
    return { words: known === undefined ? clear : `${known} ${clear}` }
  }
  for (const [says, words] of infos) {
    const match = says.exec(reason)
    if (match) return { words: typeof words === 'string' ? words : words(asked, match) }
  }
  return undefined
}

/** Of several lines of scheduling info the one that says most; when none is known, the first. */
export function chooseInfo(lines: readonly string[]): string | undefined {
  for (const [says] of infos) {
    const found = lines.find((line) => says.test(line))
    if (found !== undefined) return found
  }
  return lines[0]
}
