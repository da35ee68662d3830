import type { JobReason, JobState, JobStatus } from '../core/status.ts'

/** What qstat says of a job, as it says it. */
export interface PbsFacts {
  /** One letter; https://help.altair.com: PBS Professional Reference Guide, "Job States"; Torque has C for F. */
  readonly letter: string
  readonly exitStatus?: number | undefined
  readonly substate?: number | undefined
  readonly comment?: string | undefined
  readonly depends?: boolean
  /** n, or letters of who holds it: u, o, s. */
  readonly holdTypes?: string | undefined
  /** Seconds. */
  readonly elapsed?: number | undefined
  readonly timeLimit?: number | undefined
  /** Bytes. */
  readonly peakMemory?: number | undefined
  readonly memoryLimit?: number | undefined
  /** Seconds. */
  readonly cpuTime?: number | undefined
}

const states: Record<string, readonly [JobState, JobReason?]> = {
  Q: ['QUEUED'],
  W: ['QUEUED'],
  T: ['QUEUED', 'staging-in'],
  M: ['QUEUED'],
  H: ['QUEUED', 'held'],
  B: ['ACTIVE'],
  R: ['ACTIVE'],
  S: ['ACTIVE', 'suspended'],
  U: ['ACTIVE', 'suspended'],
  E: ['ACTIVE', 'completing'],
}

/** Finished; X is a member of an array that is not over. */
const finished = new Set(['F', 'X', 'C'])

/** What the server or the node's daemon says in place of an exit code; src/include/job.h and pbs_error.h of OpenPBS. */
const serverCodes: Record<number, readonly [JobReason, string?]> = {
  [-1]: ['launch-failed', 'it could not be started, before its files were set up'],
  [-2]: ['launch-failed', 'it could not be started, after its files were set up'],
  [-3]: ['launch-failed', 'it could not be started, and was to be tried again'],
  [-4]: ['node-failure', 'the daemon of its node was started anew'],
  [-7]: ['launch-failed', 'it could not be restarted from its checkpoint'],
  [-10]: ['launch-failed', 'the account is not known on its node'],
  [-11]: ['node-failure', 'it was taken back to be run again'],
  [-13]: ['launch-failed', 'a password was wrong'],
  [-14]: ['node-failure', 'one of its nodes was lost'],
  [-16]: ['launch-failed', 'a hook of the site refused it'],
  [-17]: ['launch-failed', 'a hook of the site deleted it'],
  [-18]: ['launch-failed', 'a hook of the site sent it back'],
  [-19]: ['launch-failed', 'a hook of the site deleted it'],
  [-20]: ['node-failure', 'the connection to its first node was lost'],
  [-21]: ['launch-failed', 'the folders of the daemon on its node are not safe'],
  [-22]: ['launch-failed', 'a hook of the site failed'],
  [-23]: ['launch-failed', 'it has no Kerberos credentials'],
  [-24]: ['signal', 'ended by the server: it used more cores than it asked for'],
  [-25]: ['signal', 'ended by the server: it used more cores than it asked for'],
  [-26]: ['out-of-memory'],
  [-27]: ['out-of-memory'],
  [-28]: ['timeout', 'its limit of CPU time is over'],
  [-29]: ['timeout'],
}

/** Of a job that history keeps: it was ended by a request, or by a limit. */
const terminated = 91

/**
 * PBS's letters and codes in ours. A letter that is not in the table is QUEUED: that is never final, and no job goes
 * back to it (mayFollow), so the last known state stays.
 */
export function pbsStatus(facts: PbsFacts): JobStatus {
  const { letter, comment, elapsed, peakMemory, cpuTime } = facts
  const measured = {
    ...(elapsed === undefined ? {} : { elapsed }),
    ...(peakMemory === undefined ? {} : { peakMemory }),
    ...(cpuTime === undefined ? {} : { cpuTime }),
  }
  if (finished.has(letter)) return { ...ending(facts), ...measured }
  const [state, usual] = (Object.hasOwn(states, letter) ? states[letter] : undefined) ?? (['QUEUED'] as const)
  const reason = letter === 'H' && facts.depends ? undefined : usual
  const message = state === 'QUEUED' ? (waiting(facts) ?? comment) : undefined
  return {
    state,
    ...(reason ? { reason } : {}),
    native: letter,
    ...(message === undefined ? {} : { message }),
    ...measured,
  }
}

function waiting({ letter, depends, holdTypes = '', comment }: PbsFacts): string | undefined {
  const said = comment === undefined ? '' : `; ${comment}`
  if (letter === 'H' && depends) return `waiting for the jobs that it depends on to end as asked${said}`
  if (letter === 'H' && holdTypes.includes('u')) return `held by you; \`qrls\` lets it go on${said}`
  if (letter === 'H' && /[os]/.test(holdTypes))
    return `held by the server or an operator; ask your site${said}`
  if (letter === 'M') return `moved to another server; ask there${said}`
  return undefined
}

function ending(facts: PbsFacts): JobStatus {
  const { letter, exitStatus, substate, comment } = facts
  const native = exitStatus === undefined ? letter : `${letter}, Exit_status ${exitStatus}`
  const said = comment === undefined ? {} : { message: comment }
  if (exitStatus === undefined) {
    if (substate === terminated || /\bdeleted\b/i.test(comment ?? ''))
      return { state: 'CANCELED', native, ...said }
    // How it ended is not told: files decide.
    return { state: 'COMPLETED', native }
  }
  if (exitStatus === 0) return { state: 'COMPLETED', native, exitCode: 0 }
  if (exitStatus < 0) {
    const [reason, message] = serverCodes[exitStatus] ?? ['launch-failed', undefined]
    return { state: 'FAILED', reason, native, ...(message ? { message } : said) }
  }
  if (exitStatus < 256) return { state: 'FAILED', reason: 'exit-code', native, exitCode: exitStatus, ...said }
  const signal = exitStatus - 256
  const limit = limitReached(facts, signal)
  if (limit) return { state: 'FAILED', reason: limit, native, signal, ...said }
  // qdel sends SIGTERM, then SIGKILL; who asked for it is not told.
  const isDeleted =
    substate === terminated || (substate === undefined && signal === 15) || /\bdeleted\b/i.test(comment ?? '')
  if (isDeleted && (signal === 15 || signal === 9)) return { state: 'CANCELED', native, signal, ...said }
  return { state: 'FAILED', reason: 'signal', native, signal, ...said }
}

/** What a limit ends is killed as what anybody ends: only the numbers tell, and the comment where there is one. */
function limitReached(facts: PbsFacts, signal: number): 'timeout' | 'out-of-memory' | undefined {
  const { comment = '', elapsed, timeLimit, peakMemory, memoryLimit } = facts
  if (/walltime.*exceeded|exceeded.*walltime/i.test(comment)) return 'timeout'
  if (/\bv?mem\b.*exceeded|exceeded.*\bmem|out of memory|oom/i.test(comment)) return 'out-of-memory'
  if (timeLimit !== undefined && elapsed !== undefined && elapsed >= timeLimit) return 'timeout'
  if (signal === 9 && memoryLimit !== undefined && peakMemory !== undefined && peakMemory >= memoryLimit)
    return 'out-of-memory'
  return undefined
}
