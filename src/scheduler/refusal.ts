import { SubmitError } from '../core/errors.ts'
import type { CommandResult } from '../core/shell.ts'
import type { SubmitCode } from './scheduler.ts'

/** What a scheduler says when it does not take a job, and what to do about it. */
export interface Refusal {
  readonly says: RegExp
  readonly hint: string
  readonly transient?: boolean
  /** So many jobs are under way already: it may be taken once some have ended. */
  readonly isLimit?: boolean
}

/** How one scheduler answers a submission. */
export interface SubmitAnswers {
  /** The command, and what it gives: 'sbatch', 'job id'. */
  readonly command: string
  readonly gives: string
  /** First match counts. */
  readonly refusals: readonly Refusal[]
  /** Known better than by a pattern. */
  readonly advise?: (said: string) => Omit<Refusal, 'says'> | undefined
  /** The id in one line of its output. */
  readonly readId: (line: string) => string | undefined
  /** Its own words, without what frames them on each line. */
  readonly spoken: (result: CommandResult) => string
  readonly isMissing: (result: CommandResult) => boolean
  readonly whenMissing: string
}

/** The id of the last line that has one: a banner may stand before it. @throws SubmitError with the scheduler's own words */
export function readSubmit(answers: SubmitAnswers, result: CommandResult): string {
  const { command, gives, readId, spoken } = answers
  const lines = new TextDecoder().decode(result.stdout).split('\n')
  const id = lines.map((line) => readId(line.trim())).findLast((found) => found !== undefined)
  if (result.exitCode === 0 && id !== undefined) return id
  const said = spoken(result) || `${command} gave exit code ${result.exitCode} and no ${gives}`
  const known = explainRefusal(answers, result)
  throw new SubmitError(known?.code ?? 'SUBMIT_REFUSED', said, {
    ...(known && { hint: known.hint }),
    transient: refusalOf(answers, said)?.transient ?? false,
  })
}

export function explainRefusal(
  answers: SubmitAnswers,
  result: CommandResult,
): { code: SubmitCode; hint: string } | undefined {
  if (answers.isMissing(result)) return { code: 'SCHEDULER_MISSING', hint: answers.whenMissing }
  const known = refusalOf(answers, answers.spoken(result))
  return known && { code: known.isLimit ? 'SUBMIT_LIMIT' : 'SUBMIT_REFUSED', hint: known.hint }
}

function refusalOf({ advise, refusals }: SubmitAnswers, said: string): Omit<Refusal, 'says'> | undefined {
  return advise?.(said) ?? refusals.find(({ says }) => says.test(said))
}
