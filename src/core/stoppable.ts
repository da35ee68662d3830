/**
 * What a generator gives, until the signal aborts or somebody calls `return()`: neither waits for what the generator waits
 * for, so that no timer outlives it. `stop` aborts for both.
 */
export function stoppable<T>(
  signal: AbortSignal | undefined,
  make: (stop: AbortSignal) => AsyncGenerator<T, void, void>,
): AsyncGenerator<T, void, void> {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const letGo = () => signal?.removeEventListener('abort', abort)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  const generator = make(controller.signal)
  const watched = async (step: Promise<IteratorResult<T, void>>) => {
    const result = await step.catch((error: unknown) => {
      letGo()
      throw error
    })
    if (result.done) letGo()
    return result
  }
  const end = () => {
    abort()
    return watched(generator.return())
  }
  return {
    next: () => watched(generator.next()),
    return: end,
    throw: (error) => {
      abort()
      return watched(generator.throw(error))
    },
    [Symbol.asyncIterator]() {
      return this
    },
    async [Symbol.asyncDispose]() {
      await end()
    },
  }
}

/** What a promise gives, or undefined as soon as the signal aborts; what becomes of it then, nobody hears. */
export async function unlessStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  if (stop.aborted) {
    work.catch(() => {
      // Nobody waits for it any more.
    })
    return undefined
  }
  let end = () => {}
  const stopped = new Promise<undefined>((resolve) => {
    end = () => resolve(undefined)
    stop.addEventListener('abort', end, { once: true })
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    stop.removeEventListener('abort', end)
  }
}
