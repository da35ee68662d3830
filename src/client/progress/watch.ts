import { ignoreRejection } from '../../core/rejections.ts'
import type { Progress } from '../job/job-array.ts'
import type { Parts } from '../job/parts.ts'
import { kindOf } from './kind.ts'

/** Between two calls of `onProgress`. */
const tellMs = 200

export interface Watching {
  readonly parts: Parts
  readonly name: string
  progress(): Progress
  readonly onProgress: ((progress: Progress) => void) | undefined
}

/** Tells the program and the terminal how far a map is, until it is over. */
export function watchProgress({ parts, name, progress, onProgress }: Watching): void {
  let failure: string | undefined
  let due: NodeJS.Timeout | undefined
  const tell = async () => {
    due = undefined
    try {
      // It may be async, whatever its type says.
      await onProgress?.(progress())
    } catch (error) {
      process.emitWarning(`farcall: onProgress threw: ${String(error)}`)
    }
  }
  parts.follow(({ submission }) => {
    submission.listen((_, items) => {
      if (onProgress) due ??= setTimeout(tell, tellMs)
      const failed = items.find(({ status }) => status.state === 'FAILED')
      if (failed)
        failed.settled.promise.catch((error: unknown) => {
          failure = String(error instanceof Error ? error.message : error).split('\n')[0]
        })
    })
  })
  let stop = () => {}
  let isOver = false
  void parts.over.then(() => {
    isOver = true
    clearTimeout(due)
    if (onProgress) void tell()
    stop()
  })
  if (kindOf(process.env, process.stderr.isTTY === true) === 'none') return
  const since = Date.now()
  const nameOf = () => parts.submissions[0]?.submitted?.spec.name ?? name
  const line = () => ({ name: nameOf(), id: parts.id, progress: progress(), failure })
  // Loaded only for what takes long enough to be shown.
  const later = setTimeout(() => {
    import('./live.ts')
      .then(({ show }) => {
        if (!isOver) stop = show({ line, since, printed: since })
      })
      // A line on the screen that cannot be drawn fails no job.
      .catch(ignoreRejection)
  }, 1_500).unref()
  stop = () => clearTimeout(later)
}
