import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-errors-'))

class AppError extends Error {
  override name = 'AppError'
  readonly details: { readonly at: Date }
  constructor(
    message: string,
    readonly status: number,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.details = { at: new Date(0) }
  }
  get isServers(): boolean {
    return this.status >= 500
  }
}

class NotFound extends AppError {
  constructor(path: string) {
    super(`no ${path}`, 404)
  }
}

/** As validation libraries make them: the message is made when it is asked for, issues are out of sight. */
class ValidationError extends Error {
  constructor(issues: readonly { path: string; why: string }[]) {
    super()
    Object.defineProperty(this, 'issues', { value: issues, enumerable: true })
    Object.defineProperty(this, 'message', {
      get: () => issues.map(({ path, why }) => `${path}: ${why}`).join('; '),
      enumerable: false,
    })
  }
  get first(): string {
    return (this as unknown as { issues: { path: string }[] }).issues[0]!.path
  }
}

beforeAll(() => {
  configure({
    profiles: { here: { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s' } },
    defaultProfile: 'here',
  })
})
afterAll(async () => {
  await close()
  removeFolder(folder)
})

/** What a call rejects with, of whatever kind. */
async function thrownBy(call: Promise<unknown>): Promise<unknown> {
  try {
    await call
  } catch (thrown) {
    return thrown
  }
  throw new Error('nothing was thrown')
}

describe('what the function throws', () => {
  it('is of the class of this program, with its fields and its getters', async () => {
    const f = cluster((path: string) => {
      throw new NotFound(path)
    })
    const error = (await thrownBy(f('page'))) as NotFound
    expect(error).toBeInstanceOf(NotFound)
    expect(error).toBeInstanceOf(AppError)
    expect(error).toMatchObject({ name: 'AppError', message: 'no page', status: 404, isServers: false })
    expect(error.details.at).toEqual(new Date(0))
    expect(error.stack).toMatch(/errors\.local\.test\.ts:\d+:\d+/)
  })

  it('is of that class inside causes and among the members of an AggregateError too', async () => {
    const f = cluster(() => {
      const cause = new AppError('inner', 500, { cause: new NotFound('deepest') })
      throw new AggregateError([new NotFound('one'), new TypeError('two'), 'three'], 'all', { cause })
    })
    const error = (await thrownBy(f())) as AggregateError & { cause: AppError }
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.message).toBe('all')
    expect(error.errors[0]).toBeInstanceOf(NotFound)
    expect(error.errors[1]).toBeInstanceOf(TypeError)
    expect(error.errors[2]).toBe('three')
    expect(error.cause).toBeInstanceOf(AppError)
    expect(error.cause.isServers).toBe(true)
    expect(error.cause.cause).toBeInstanceOf(NotFound)
    for (const each of [error, error.errors[0], error.cause.cause] as Error[])
      expect(each.stack).toContain('errors.local.test.ts:')
  })

  it('is what was thrown when that is no error', async () => {
    const f = cluster((kind: string) => {
      if (kind === 'string') throw 'a text'
      if (kind === 'undefined') throw undefined
      if (kind === 'null') throw null
      if (kind === 'object') throw { code: 7, at: new Date(1) }
      throw -0
    })
    const jobs = ['string', 'undefined', 'null', 'object', 'number'].map((kind) => thrownBy(f(kind)))
    expect(await Promise.all(jobs)).toStrictEqual(['a text', undefined, null, { code: 7, at: new Date(1) }, -0]) // biome-ignore format: one line
  })

  it('arrives when it is frozen, or its own cause', async () => {
    const f = cluster((kind: string) => {
      if (kind === 'frozen') throw Object.freeze(new AppError('cold', 1))
      const error = new AppError('round', 2)
      error.cause = new TypeError('between', { cause: error })
      throw error
    })
    const [frozen, round] = (await Promise.all([thrownBy(f('frozen')), thrownBy(f('round'))])) as [
      AppError,
      AppError & { cause: TypeError },
    ]
    expect(frozen).toBeInstanceOf(AppError)
    expect(frozen).toMatchObject({ message: 'cold', status: 1 })
    expect(round.cause).toBeInstanceOf(TypeError)
    expect(round.cause.cause).toBe(round)
  })

  it('is the platform’s own kind of error where it was one', async () => {
    const f = cluster(async (kind: string) => {
      if (kind === 'abort') AbortSignal.abort().throwIfAborted()
      if (kind === 'timeout') throw new DOMException('late', 'TimeoutError')
      readFileSync('/nowhere/at/all')
    })
    const [abort, timeout, system] = (await Promise.all(
      ['abort', 'timeout', 'system'].map((kind) => thrownBy(f(kind))),
    )) as [DOMException, DOMException, NodeJS.ErrnoException]
    expect(abort).toBeInstanceOf(DOMException)
    expect(abort).toMatchObject({ name: 'AbortError', code: 20 })
    expect(timeout).toBeInstanceOf(DOMException)
    expect(timeout).toMatchObject({ name: 'TimeoutError', message: 'late' })
    expect(system).toBeInstanceOf(Error)
    expect(system).toMatchObject({
      code: 'ENOENT',
      errno: -2,
      syscall: 'open',
      path: '/nowhere/at/all',
    })
  })

  it('keeps messages that a getter makes, and properties out of sight', async () => {
    const f = cluster(() => {
      throw new ValidationError([{ path: 'age', why: 'too small' }])
    })
    const error = (await thrownBy(f())) as ValidationError
    expect(error).toBeInstanceOf(ValidationError)
    expect(error.message).toBe('age: too small')
    expect(error.first).toBe('age')
    expect(Object.keys(error)).toEqual(['issues'])
  })

  it('arrives without the parts that cannot travel', async () => {
    const f = cluster(() => {
      throw Object.assign(new AppError('busy', 503), { socket: new WeakMap(), retry: () => 1, after: 5 })
    })
    const error = (await thrownBy(f())) as AppError & { socket: unknown; retry: unknown; after: number }
    expect(error).toBeInstanceOf(AppError)
    expect(error).toMatchObject({ status: 503, after: 5, socket: undefined, retry: undefined })
    expect(Reflect.get(error, Symbol.for('farcall.omitted'))).toHaveLength(2)
  })

  it('is the nearest built-in class, by its name, where the class exists on the node only', async () => {
    const f = cluster(() => {
      class Inner extends RangeError {
        override name = 'Inner'
      }
      throw Object.assign(new Inner('there'), { low: 1 })
    })
    const error = await thrownBy(f())
    expect(Object.getPrototypeOf(error)).toBe(RangeError.prototype)
    expect(error).toMatchObject({ name: 'Inner', message: 'there', low: 1 })
  })
})
