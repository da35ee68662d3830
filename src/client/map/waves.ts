import type { Clock } from '../../core/clock.ts'

/** What a wave is gathered by. */
export interface WaveLimits {
  /** Inputs that are read ahead of what is done with. */
  readonly bufferSize: number
  /** Bytes of arguments that are held back at most. */
  readonly bytes: number
  /** A wave goes out so long after its first input at the latest: at first, and where waves keep being small. */
  readonly lingerMs: { readonly first: number; readonly most: number }
}

export const waveLimits: Omit<WaveLimits, 'bufferSize'> = {
  bytes: 64 * 2 ** 20,
  lingerMs: { first: 1_000, most: 16_000 },
}

export interface WaveSteps<T> {
  readonly next: () => IteratorResult<T> | Promise<IteratorResult<T>>
  /** Takes an input; gives its bytes. */
  take(input: T): number
  /** What was taken goes out. `isLast`: nothing comes after it. */
  send(isLast: boolean): void
  /** Inputs that were taken and that somebody still waits for. */
  readonly outstanding: () => number
  /** Resolves when there are fewer of them, or reading is to stop. */
  readonly fewer: () => Promise<void>
  readonly isStopped: () => boolean
}

/**
 * Reads inputs and sends them in waves. A wave goes out when the buffer is full, when its bytes are, when no more comes,
 * or a while after its first input, so that what a slow producer gave is not held back. After a full buffer the next
 * wave is at least a quarter of it: not every item that ends is to be a submission.
 */
export async function inWaves<T>(steps: WaveSteps<T>, limits: WaveLimits, clock: Clock): Promise<void> {
  const { bufferSize, bytes: mostBytes } = limits
  let [gathered, bytes, linger] = [0, 0, limits.lingerMs.first]
  let hasSent = false
  let timer: AbortController | undefined
  const send = (isLast: boolean) => {
    timer?.abort()
    timer = undefined
    if (gathered === 0 && !isLast) return
    ;[gathered, bytes, hasSent] = [0, 0, true]
    steps.send(isLast)
  }
  const sendLater = () => {
    const own = new AbortController()
    timer = own
    void clock.sleep(linger, own.signal).then(() => {
      if (own.signal.aborted || steps.isStopped()) return
      linger = Math.min(limits.lingerMs.most, linger * 2)
      send(false)
    })
  }
  const isFull = () => steps.outstanding() >= bufferSize
  try {
    while (!steps.isStopped()) {
      if (isFull()) {
        send(false)
        linger = limits.lingerMs.first
        const enough = bufferSize - Math.ceil(bufferSize / 4)
        while (steps.outstanding() > enough && !steps.isStopped()) await steps.fewer()
        continue
      }
      const step = steps.next()
      const { value, done } = step instanceof Promise ? await step : step
      if (steps.isStopped()) return
      if (done) return send(true)
      bytes += steps.take(value)
      if (gathered++ === 0) sendLater()
      if (bytes >= mostBytes) send(false)
    }
  } catch (error) {
    // Once there is a part of it, what was read before the error is one, too.
    if (hasSent && !steps.isStopped()) send(false)
    throw error
  } finally {
    timer?.abort()
  }
}
