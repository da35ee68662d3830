import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../src/codec/codec.ts'
import { failure } from './helpers.ts'

describe('a value that lies elsewhere', () => {
  const table = { rows: [1, 2, 3] }
  const elsewhere = (object: object) => (object === table ? { entry: 7 } : undefined)

  it('is named in its place, and is one object wherever it is met', () => {
    const bytes = encode([table, { again: table }, 'end'], { root: 'value', elsewhere })
    expect(Buffer.from(bytes).includes('rows')).toBe(false)
    const seen: unknown[] = []
    const value = decode(bytes, {
      elsewhere: (at) => {
        seen.push(at)
        return { rows: [9] }
      },
    }) as [object, { again: object }, string]
    expect(value).toEqual([{ rows: [9] }, { again: { rows: [9] } }, 'end'])
    expect(value[1].again).toBe(value[0])
    expect(seen).toEqual([{ entry: 7 }])
  })

  it('does not disturb what is met after it', () => {
    const late = { n: 1 }
    const bytes = encode({ a: table, b: late, c: [late, table] }, { root: 'value', elsewhere })
    const value = decode(bytes, { elsewhere: () => ({ rows: [] }) }) as Record<'a' | 'b', object> & {
      c: object[]
    }
    expect(value.c[0]).toBe(value.b)
    expect(value.c[1]).toBe(value.a)
  })

  it('may be what cannot travel itself, at any depth', () => {
    const promise = Promise.resolve(1)
    let deep: unknown = promise
    for (let depth = 0; depth < 200; depth++) deep = [deep]
    const bytes = encode(deep, {
      root: 'value',
      elsewhere: (object) => (object === promise ? { job: 'f' } : undefined),
    })
    let back = decode(bytes, { elsewhere: (at) => at })
    for (let depth = 0; depth < 200; depth++) back = (back as unknown[])[0]
    expect(back).toEqual({ job: 'f' })
  })

  it('is refused where nobody knows where that is', () => {
    const bytes = encode([table], { root: 'value', elsewhere })
    expect(failure(() => decode(bytes)).code).toBe('RESULT_CORRUPT')
  })
})
