import { afterEach, describe, expect, it } from 'vitest'
import { runnerPosition } from '../../src/capture/runner-map.ts'

const before = Error.prepareStackTrace
afterEach(() => {
  if (before) Error.prepareStackTrace = before
  else Reflect.deleteProperty(Error, 'prepareStackTrace')
})

const script = { path: '/home/ada/study.ts', line: 12, column: 5 }
const writing = (write: (frame: NodeJS.CallSite) => string) => {
  Error.prepareStackTrace = (error, frames) => `${error}\n    at ${write(frames[0]!)}`
  return runnerPosition(script)
}

describe('where a script is in its source, as the writer of stacks says', () => {
  it.each([
    ['a path', '/home/ada/study.ts:7:3', '/home/ada/study.ts'],
    ['a URL', 'file:///home/ada/study.ts:7:3', 'file:///home/ada/study.ts'],
    ['a path in brackets', 'Object.<anonymous> (/home/ada/study.ts:7:3)', '/home/ada/study.ts'],
    ['a path with brackets', 'run (/home/ada (old)/study.ts:7:3)', '/home/ada (old)/study.ts'],
  ])('is read from %s', (_, written, path) => {
    expect(writing(() => written)).toEqual({ path, line: 7, column: 3 })
  })

  it('is asked of a frame that can be copied by the methods of its prototype', () => {
    const found = writing((frame) => {
      const copy: Record<string, () => unknown> = {}
      for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(frame)))
        copy[name] = () => (frame as unknown as typeof copy)[name]!()
      return `${copy['getFileName']!()}:${Number(copy['getLineNumber']!()) - 5}:${copy['getColumnNumber']!()}`
    })
    expect(found).toEqual({ ...script, line: 7 })
  })

  it.each([
    ['that it is where it was', (frame: NodeJS.CallSite) => `${frame}`],
    ['a place that is no file', () => '<anonymous>'],
    [
      'nothing, as it throws',
      () => {
        throw new Error('a frame of my own, please')
      },
    ],
  ])('is not known when it says %s', (_, write) => {
    expect(writing(write)).toBeUndefined()
  })
})
