import { describe, expect, it } from 'vitest'
import { mapStack } from '../../src/capture/stack.ts'

const map = JSON.stringify({ version: 3, sources: [], names: [], mappings: '' })
const runtime = '    at call (/home/ada/.farcall/farcall-runtime-1.2.3.cjs:10:5)'
const promise = '    at new Promise (<anonymous>)'
const node = '    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)'
const mapped = (...frames: string[]) =>
  mapStack(['Error: no', ...frames].join('\n'), map)
    .split('\n')
    .slice(1)

describe('a frame that says only `new Promise`', () => {
  it('is left out with the frames of our runtime beside it', () => {
    expect(mapped(node, promise, runtime)).toEqual([node])
    expect(mapped(runtime, promise, node)).toEqual([node])
    expect(mapped(runtime, promise, runtime, node)).toEqual([node])
  })

  it("stays where it is the user's or Node's", () => {
    expect(mapped(node, promise, node, runtime)).toEqual([node, promise, node])
    expect(mapped(promise)).toEqual([promise])
  })
})
