import { describe, expect, it } from 'vitest'
import { locateByInspector } from '../../src/capture/locate.ts'

const add = (a: number) => (b: number) => a + b
const later = () => () => add

function source(fn: Function): string {
  const { file, fn: index } = locateByInspector(fn, {})!
  const node = file.analysis.functions[index]!
  return file.text.slice(node.start, node.end)
}

describe('functions of one shape on one line', () => {
  it('are told apart, the inner one from the outer one', () => {
    expect([add, add(1)].map(source)).toEqual(['(a: number) => (b: number) => a + b', '(b: number) => a + b'])
    expect([later, later()].map(source)).toEqual(['() => () => add', '() => add'])
  })
})
