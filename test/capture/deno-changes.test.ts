import { describe, expect, it } from 'vitest'
import { assignedMeanwhile } from '../../src/capture/deno-changes.ts'

/** The call is where the text says f(. */
const found = (cell: string) => assignedMeanwhile(cell, cell.indexOf('f('), new Set(['k']))?.text

describe('what a cell assigns between a call and the end of its turn', () => {
  it.each([
    ['const p = f(1); k = 2; await p', 'k = 2'],
    ['const p = f(1); k++', 'k++'],
    ['for (const i of list) { k = i; jobs.push(f(i)) }', 'k = i'],
    ['await Promise.all(list.map((i) => { k += i; return f(i) }))', 'k += i'],
    ['await Promise.all(list.map(async (i) => { k = i; return await f(i) }))', 'k = i'],
  ])('%s', (cell, text) => expect(found(cell)).toBe(text))

  it.each([
    'k = 2; await f(1)',
    'k = 2; const p = f(1); await p; k = 3',
    'const p = await f(1); k = 3',
    'for (const i of list) { k = i; out.push(await f(i)) }',
    'const p = f(1); other = 2; object.k = 3',
  ])('nothing: %s', (cell) => expect(found(cell)).toBeUndefined())
})
