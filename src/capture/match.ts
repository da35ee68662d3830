import type { FunctionNode } from './analysis.ts'
import { positionOf } from './positions.ts'
import { isBundled } from './renamed.ts'
import type { UserFile } from './sources.ts'

/** Where the call site points in the user's file, if it is one that we can read. */
export interface Spot {
  file: UserFile
  offset: number
}

/**
 * Maps may lack a segment at the very function: the closest one of the same shape is it. Where several of one shape
 * are near, as in `(a) => (b) => a + b`, `among` says which by their order in the script that runs.
 */
export function nearest(
  { file, offset }: Spot,
  fn: Function,
  among?: (functions: readonly FunctionNode[]) => number | undefined,
): number | undefined {
  const { functions } = file.analysis
  const { line } = positionOf(file.text, offset)
  let best: { index: number; distance: number } | undefined
  const all: number[] = []
  for (const [index, node] of functions.entries()) {
    if (!sameShape(fn, node, isBundled(file))) continue
    const from = Math.min(Math.abs(node.at - offset), Math.abs(node.start - offset))
    const near =
      Math.abs(positionOf(file.text, node.at).line - line) <= 1 || (node.start <= offset && offset <= node.at)
    if (!near) continue
    all.push(index)
    if (!best || from < best.distance) best = { index, distance: from }
  }
  if (all.length > 1 && among && !isBundled(file)) {
    const index = among(functions)
    if (index !== undefined && all.includes(index)) return index
  }
  return best?.index
}

/** The function of the source that stands where `offset` stands among its like in what was compiled from it. */
export function inOrder(
  compiled: readonly FunctionNode[],
  offset: number,
  source: readonly FunctionNode[],
): number | undefined {
  const node = compiled.find((f) => f.at === offset) ?? compiled.find((f) => f.start === offset)
  if (!node) return undefined
  const like = (f: FunctionNode) => f.kind === node.kind && f.name === node.name && f.length === node.length
  const indexes = [...source.keys()].filter((index) => like(source[index]!))
  const there = compiled.filter(like)
  return there.length === indexes.length ? indexes[there.indexOf(node)] : undefined
}

export function callAt({ file, offset }: Spot, fn: Function): number | undefined {
  const calls = file.analysis.calls.filter((c) => c.start <= offset && offset < c.end)
  const exact = calls.filter((c) => c.start === offset || c.name === offset)
  const call = (exact.length > 0 ? exact : calls).sort((a, b) => a.end - a.start - (b.end - b.start))[0]
  if (!call) return undefined
  const fitting = call.functions.filter((f) => sameShape(fn, file.analysis.functions[f]!, isBundled(file)))
  return fitting.length === 1 ? fitting[0] : undefined
}

export function methodAt(
  { file, offset }: Spot,
  fn: Function,
  method: { name: string | symbol; isStatic: boolean },
): number | undefined {
  const { functions } = file.analysis
  const found = [...functions.keys()].filter((index) => {
    const node = functions[index]!
    return (
      node.kind === 'method' &&
      node.owner !== undefined &&
      node.name === method.name &&
      node.isStatic === method.isStatic &&
      sameShape(fn, node, isBundled(file))
    )
  })
  const around = found.filter((index) => {
    const node = functions[index]!
    return node.start <= offset && offset < node.end
  })
  if (around.length === 1) return around[0]
  return found.length === 1 ? found[0] : undefined
}

const asyncs = /^Async/
const generators = /GeneratorFunction$/

/** Rules out, never proves: compilers keep names and parameters, but turn async into what they like. */
export function sameShape(fn: Function, node: FunctionNode, renamed = false): boolean {
  const text = Function.prototype.toString.call(fn)
  const isClass = /^class\b/.test(text)
  if (isClass !== (node.kind === 'class')) return false
  if (isClass && renamed) return true
  if (isClass) return fn.name === node.name || fn.name === '' || node.name === '' || /^_/.test(fn.name)
  const kind = Object.getPrototypeOf(fn)?.constructor?.name ?? ''
  if (asyncs.test(kind) && !node.async) return false
  if (generators.test(kind) && !node.generator) return false
  if (!renamed && fn.name !== '' && node.name !== '' && fn.name !== node.name && !node.name.startsWith('#')) {
    if (!new RegExp(`^_?${quoted(node.name)}_?\\d*$`).test(fn.name) && node.name !== 'default') return false
  }
  return fn.length === node.length || /\b__awaiter\b|arguments/.test(text)
}

const quoted = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
