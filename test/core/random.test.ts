import { expect, test } from 'vitest'
import { seededRandom, xoshiro128 } from '../../src/core/random.ts'

test('xoshiro128** gives the row of its authors', () => {
  // Of the reference in C, version 1.1, from the state 1, 2, 3, 4; rand_xoshiro's test has the same row.
  const next = xoshiro128([1, 2, 3, 4])
  expect(Array.from({ length: 10 }, next)).toEqual([
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ])
})

test('the same words give the same row, other words another', () => {
  const row = (...words: (string | number)[]) => Array.from({ length: 5 }, seededRandom(...words))
  expect(row('f1', 3)).toEqual(row('f1', 3))
  // What a job and its retry on another day must agree upon.
  expect(row('fabcdefghijklm', 0)).toMatchInlineSnapshot(`
    [
      0.7833160555428752,
      0.21672912291865243,
      0.7324174219778558,
      0.519487446927667,
      0.2808857111404215,
    ]
  `)
  const firsts = Array.from({ length: 1_000 }, (_, item) => seededRandom('f1', item)())
  expect(new Set(firsts).size).toBe(1_000)
  expect(row('f1', 12)).not.toEqual(row('f11', 2))
})

test('numbers lie evenly from 0 up to 1', () => {
  const random = seededRandom('even')
  const counts = new Array(10).fill(0)
  for (let i = 0; i < 100_000; i++) counts[Math.floor(random() * 10)]++
  expect(counts.length).toBe(10)
  // Five standard deviations.
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(5 * Math.sqrt(9_000))
})
