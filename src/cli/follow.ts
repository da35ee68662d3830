import { insideOf, type Job } from '../client/job/job.ts'
import { JobStream } from '../client/job/job-stream.ts'
import { ignoreRejection } from '../core/rejections.ts'
import { isFinal, type JobStatus } from '../core/status.ts'
import { printJson } from './print.ts'
import { say } from './talk.ts'
import { giveValue, jsonText, type ValueOptions } from './value.ts'

type Followed = Job<unknown> | JobStream<unknown, unknown>

export interface FollowOptions extends ValueOptions {
  readonly json: boolean
  /** What the user knows it by. */
  readonly name?: string
  /**
   * What it prints, as it comes. 'beside': to stderr, since stdout has the value; 'instead': each to its own, and no value,
   * as of a command whose output is what one wants of it.
   */
  readonly prints: 'none' | 'beside' | 'instead'
}

/** To its end: states are told on stderr, the value is printed. Of a stream each value is a line of JSON. */
export async function followToEnd(job: Followed, options: FollowOptions): Promise<void> {
  // Its files stay for a while, for `farcall logs`.
  const inside = insideOf(job)
  if (inside) inside.handle.submission.keeps = true
  const told = tell(job, options.name)
  const streams = options.prints === 'none' ? [] : (['stdout', 'stderr'] as const)
  const shown = streams.map((stream) =>
    showLog(job, stream, options.prints === 'instead' ? process[stream] : process.stderr),
  )
  const beside = Promise.all([...shown, told])
  // A log that cannot be read is told of once the job has ended.
  beside.catch(ignoreRejection)
  if (job instanceof JobStream) {
    for await (const value of job) process.stdout.write(`${JSON.stringify(JSON.parse(jsonText(value)))}\n`)
    await beside
    return
  }
  try {
    const value = await job
    await beside
    if (options.json)
      printJson({
        id: options.name ?? job.id,
        state: 'COMPLETED',
        value: JSON.parse(jsonText(value) || 'null'),
      })
    else if (options.prints !== 'instead') await giveValue(value, options)
  } catch (error) {
    // What it printed before it failed is wanted first.
    await Promise.allSettled([...shown, told])
    if (options.json)
      printJson({ id: options.name ?? job.id, state: job.status().state, error: asJson(error) })
    throw error
  }
}

async function tell(job: Followed, name: string | undefined): Promise<void> {
  let before = ''
  for await (const status of job.updates()) {
    const text = statusText(status)
    if (text !== before && status.state !== 'NEW') say(`${name ?? job.id} ${text}`)
    before = text
  }
}

function statusText({ state, reason, message, progress }: JobStatus): string {
  const far = progress?.fraction === undefined ? '' : ` ${Math.round(progress.fraction * 100)} %`
  const why = !isFinal(state) && message ? `: ${message}` : ''
  return `${state}${reason ? ` ${reason}` : ''}${far}${why}`
}

async function showLog(job: Followed, stream: 'stdout' | 'stderr', to: NodeJS.WritableStream): Promise<void> {
  for await (const line of job.logs({ follow: true, stream })) to.write(`${line}\n`)
}

function asJson(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message } = error
  const { code, index } = error as { code?: unknown; index?: unknown }
  return {
    name,
    message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof index === 'number' ? { index } : {}),
    ...(error instanceof AggregateError ? { errors: error.errors.map(asJson) } : {}),
  }
}
