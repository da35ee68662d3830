import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nearest } from '../../src/core/nearest.ts'

const known = ['scheduler', 'host', 'port', 'user', 'identityFile', 'queryInterval']

test.each([
  ['hots', 'host'],
  ['Port', 'port'],
  ['schedular', 'scheduler'],
  ['identityfile', 'identityFile'],
  ['queryInterva', 'queryInterval'],
  ['zebra', undefined],
  ['', undefined],
])('%o is nearest to %o', (name, expected) => {
  expect(nearest(name, known)).toBe(expected)
})

test('a name with one letter changed is found again', () => {
  fc.assert(
    fc.property(fc.constantFrom(...known), fc.nat(), fc.constantFrom('x', 'é', ''), (name, at, letter) => {
      const i = at % name.length
      expect(nearest(name.slice(0, i) + letter + name.slice(i + 1), known)).toBe(name)
    }),
  )
})
