import { StringDecoder } from 'node:string_decoder'
import { systemClock } from '../../core/clock.ts'
import { ConfigError, FarcallError } from '../../core/errors.ts'
import { sizeOf } from '../../core/launcher.ts'
import { isFinal } from '../../core/status.ts'
import type { LogOptions } from '../options/options.ts'
import type { Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'
import { waits } from '../submission/waits.ts'

/** Between two looks at a log that is followed, milliseconds. */
const followMs = 500

/** A member's log, line by line; all items of its chunk write to it. */
export async function* readLog(
  handle: Handle,
  item: Item,
  options: LogOptions,
): AsyncGenerator<string, void, void> {
  handle.seal()
  await handle.session
  if (item.behind) {
    yield* readLog(item.behind.handle, item.behind.item, options)
    return
  }
  if (handle.submission.front)
    throw new FarcallError('JOB_UNKNOWN', `this call was run by another job, ${item.ranAs ?? 'which runs'}`, {
      hint: 'attach(id) gives its log, while its files are kept',
    })
  const { spec, executor } = handle.submission.submitted!
  const { rank = 0, stream = 'stdout' } = options
  const size = spec.ranks ? sizeOf(spec.ranks) : 1
  if (!Number.isInteger(rank) || rank < 0 || rank >= size)
    throw new ConfigError('OPTION_INVALID', `logs: there is no rank ${rank}`, {
      hint:
        size === 1 ? 'one process runs it: leave rank out' : `${size} processes run it, with ranks from 0`,
    })
  const member = Math.floor(item.index / spec.chunk)
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let from = 0
  for (;;) {
    const over = isFinal(item.status.state)
    const { bytes, ended } = await executor.logs(handle.submission.id, member, stream, from, rank)
    from += bytes.byteLength
    const lines = (rest + decoder.write(Buffer.from(bytes))).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
    if (!options.follow || over || ended) break
    await waits.of(systemClock.sleep(followMs))
  }
  rest += decoder.end()
  if (rest !== '') yield rest
}
