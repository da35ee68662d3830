import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping'
import { cellPlace } from './cells/names.ts'

export interface MapStackOptions {
  /** The bundle's hash: only its frames are mapped then. */
  hash?: string
}

const location = /((?:file:\/\/)?\/[^\s()]*?\/?)([0-9a-f]{64})\.mjs:(\d+):(\d+)/
const runtimeFrame = /(?:farcall-runtime(?:-[\w.-]+)?\.c?js|\/blobs\/[0-9a-f]{64}\.cjs):\d+:\d+/
/** Names no file: it is ours when a frame beside it is. */
const promiseFrame = /^\s+at new Promise \(<anonymous>\)$/

let last: { text: string; trace: TraceMap } | undefined

/**
 * A stack from the node with its frames as lines of the user's TypeScript. Frames of our runtime are left
 * out; frames of Node stay as they are.
 */
export function mapStack(stack: string, map: string, options: MapStackOptions = {}): string {
  if (last?.text !== map) last = { text: map, trace: new TraceMap(map) }
  const { trace } = last
  const lines: string[] = []
  const all = stack.split('\n')
  const isRuntime = (line: string | undefined) => line !== undefined && runtimeFrame.test(line)
  for (const [index, line] of all.entries()) {
    if (!/^\s+at /.test(line)) {
      lines.push(line)
      continue
    }
    if (isRuntime(line)) continue
    if (promiseFrame.test(line) && (isRuntime(all[index - 1]) || isRuntime(all[index + 1]))) continue
    const found = location.exec(line)
    if (!found || (options.hash && found[2] !== options.hash)) {
      lines.push(line)
      continue
    }
    // V8 counts columns from 1, source maps from 0
    const original = originalPositionFor(trace, { line: Number(found[3]), column: Number(found[4]) - 1 })
    // no source: a line that capture itself wrote around the user's
    if (original.source === null || original.source.startsWith('farcall-')) continue
    const place =
      cellPlace(original.source, original.line) ??
      `${original.source}:${original.line}:${original.column + 1}`
    lines.push(tidy(line.replace(found[0], place)))
  }
  return lines.join('\n')
}

/** Names that V8 makes up of what capture wrote around a function. */
const tidy = (line: string) =>
  line.replace(/\$farcallFn|Object\.\$farcallFn|[\w$.]*\$farcallLoop[\w$.]*/, '<anonymous>')
