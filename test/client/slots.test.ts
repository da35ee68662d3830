import { expect, test } from 'vitest'
import { planMembers } from '../../src/client/submit/plan.ts'
import { resolveSlots } from '../../src/client/submit/slots.ts'

test('as many items run at once as cores and GPUs have room for', () => {
  expect(resolveSlots({ cores: 8 }, undefined, undefined)).toBeUndefined()
  expect(resolveSlots({ cores: 8 }, 2, undefined)).toEqual({ count: 4, cores: 2, gpus: 0 })
  expect(resolveSlots({ cores: 8, gpus: { count: 4 } }, undefined, 1)).toEqual({
    count: 4,
    cores: 2,
    gpus: 1,
  })
  expect(resolveSlots({ gpus: { count: 4 } }, undefined, 1)).toEqual({ count: 4, cores: 1, gpus: 1 })
  expect(resolveSlots({ cores: 8, gpus: { count: 4 } }, 4, 1)).toEqual({ count: 2, cores: 4, gpus: 1 })
  // One at a time that has all there is needs no process of its own; one that is to see less does.
  expect(resolveSlots({ cores: 8, gpus: { count: 1 } }, undefined, 1)).toBeUndefined()
  expect(resolveSlots({ gpus: { count: 3 } }, undefined, 2)).toEqual({ count: 1, cores: 1, gpus: 2 })
})

test('what has no room is refused', () => {
  const refused = (...args: Parameters<typeof resolveSlots>) => expect(() => resolveSlots(...args))
  refused({ cores: 2 }, 4, undefined).toThrow('coresPerItem: an item needs 4, and cores is 2')
  refused({}, 1, undefined).toThrow('coresPerItem: an item needs 1, and cores says nothing')
  refused({ gpus: { count: 1 } }, undefined, 2).toThrow('gpusPerItem: an item needs 2, and gpus is 1')
})

test('a member has at least the items that it can run at once', () => {
  const queue = {
    sharedFiles: true,
    arrays: true,
    dependencies: true,
    streaming: false,
    cancelsMembers: true,
    maxMembers: 1001,
  }
  const plan = (items: number, chunk: number | 'auto', slots?: number) =>
    planMembers({ items, chunk, cores: 4, traits: queue, ...(slots ? { slots } : {}) })
  expect(plan(10, 'auto', 4)).toMatchObject({ chunk: 4, members: 3 })
  expect(plan(10, 'auto')).toMatchObject({ chunk: 1, members: 10 })
  expect(plan(2, 'auto', 4)).toMatchObject({ chunk: 2, members: 1 })
  expect(plan(10, 1, 4)).toMatchObject({ chunk: 1, members: 10 })
})
