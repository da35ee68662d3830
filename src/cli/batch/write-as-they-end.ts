import { type JobArray, partsOf } from '../../client/job/job-array.ts'
import { jsonText } from '../value.ts'
import { lineOf, type ResultLine } from './resume.ts'

export interface Ran {
  readonly done: number
  readonly failed: number
}

/** What a line says of an item beside what became of it. */
export type Labels = (at: number) => Pick<ResultLine, 'index' | 'key' | 'item'>

/**
 * Writes a line for each item of a map as it ends. What was not even sent has no line.
 * @throws what kept items from being sent, or a line from being written; the map is then canceled
 */
export async function writeAsTheyEnd(
  jobs: JobArray<unknown>,
  labels: Labels,
  write: (line: string) => void,
): Promise<Ran> {
  const counts = { done: 0, failed: 0 }
  const trouble: unknown[] = []
  const tell = (at: number, outcome: Pick<ResultLine, 'value' | 'error'>) => {
    counts[outcome.error ? 'failed' : 'done']++
    try {
      write(lineOf({ ...labels(at), ...outcome }))
    } catch (error) {
      // Results that cannot be written are not computed for nothing.
      trouble.push(error)
      void jobs.cancel(error).catch((canceling) => trouble.push(canceling))
    }
  }
  const ends: Promise<void>[] = []
  partsOf(jobs)!.follow((handle) => {
    const { submission } = handle
    // What JSON cannot say is fetched from there; what failed has its log there.
    submission.keeps = true
    for (const item of submission.items) {
      const at = submission.indexOf(item)
      const failed = (error: unknown) => {
        if (submission.abandoned) trouble.push(submission.abandoned.error)
        else tell(at, { error: errorOf(error) })
      }
      const completed = (value: unknown) => tell(at, outcomeOf(value, `${jobs.id}[${at}]`))
      ends.push(item.settled.promise.then(completed, failed))
    }
  })
  await jobs.settled()
  await Promise.all(ends)
  if (trouble.length > 0) throw trouble[0]
  return counts
}

function outcomeOf(value: unknown, name: string): Pick<ResultLine, 'value' | 'error'> {
  try {
    // Of undefined, nothing.
    const text = jsonText(value)
    return text === '' ? {} : { value }
  } catch (error) {
    const [reason] = (error as Error).message.split('\n')
    const wayOut = `farcall result '${name}' --encoded --output FILE keeps it as it is`
    return { error: { ...errorOf(error), message: `${reason}; ${wayOut}` } }
  }
}

function errorOf(error: unknown): NonNullable<ResultLine['error']> {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) }
  const { code } = error as { code?: unknown }
  return { name: error.name, ...(typeof code === 'string' ? { code } : {}), message: error.message }
}
