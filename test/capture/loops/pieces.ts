import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { applyEdits } from '../../../src/capture/loops/edits.ts'
import { findLoops, type Parallel } from '../../../src/capture/loops/loops.ts'
import { Modules } from '../../../src/capture/modules.ts'
import { openFile } from '../../../src/capture/sources.ts'
import { decode, encode } from '../../../src/codec/codec.ts'
import { enter } from '../../../src/core/loops/course.ts'
import { count } from '../../../src/core/loops/items.ts'
import { isPieceResult, type Main, type PieceResult, runPiece } from '../../../src/core/loops/main.ts'
import type { PieceCodec } from '../../../src/core/loops/pieces.ts'

const folder = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER']!, 'farcall-loops-'))
let files = 0

export interface Program {
  verdicts: ReturnType<typeof findLoops>['verdicts']
  lines: string[]
  text: string
  /** Runs the function as it is written. */
  plain(args: unknown[]): Promise<unknown>
  /** Runs it piece by piece, each turn of its loops in chunks of this size. */
  split?(args: unknown[], chunk: number): Promise<{ value: unknown; pieces: number; remarks: string[] }>
  light: boolean[]
}

/**
 * A program that declares `async function work(…)`, or something else by that name.
 */
export function program(
  text: string,
  parallel: Parallel = 'auto',
  more: Record<string, string> = {},
): Program {
  const at = mkdtempSync(join(folder, 'p'))
  for (const [name, content] of Object.entries(more)) writeFileSync(join(at, name), content)
  const path = join(at, `sweep${files++}.ts`)
  writeFileSync(path, text)
  const file = openFile(path, undefined)
  const index = file.analysis.functions.findIndex((f) => f.name === 'work')
  const node = file.analysis.functions[index]!
  const { verdicts, split } = findLoops(file, node, new Modules(undefined), parallel)
  const line = (offset: number) => text.slice(0, offset).split('\n').length
  const lines = verdicts.map((v) =>
    v.split ? `${line(v.at)} split` : `${line(v.because ?? v.at)} ${v.reason}`,
  )
  const units = text.split('')
  if (split) applyEdits(units, split.edits)
  const scripts = new Map<string, string>()
  const scriptOf = (source: string): string => {
    const bare = source.replace(/^import .*$/gm, '').replace(/^export /gm, '')
    const { outputText } = ts.transpileModule(`${bare}\n;return {work}`, {
      compilerOptions: { target: ts.ScriptTarget.ES2022 },
    })
    return outputText
  }
  const made = (source: string): Main => {
    const script = scripts.get(source) ?? scriptOf(source)
    scripts.set(source, script)
    return new Function('$farcallLoops', script)({ enter, count }).work
  }
  const copy = <T>(value: T): T => decode(encode(value, { root: 'copy' })) as T
  return {
    verdicts,
    lines,
    text: units.join(''),
    light: split ? [...split.plan.light] : [],
    plain: async (args) => copy(await made(text)(...copy(args))),
    ...(split && {
      async split(args: unknown[], chunk: number) {
        const source = units.join('')
        let pieces = 0
        const remarks: string[] = []
        const codec: PieceCodec = {
          encode: (value, root) => encode(value, { root }),
          decode: (bytes) => decode(bytes),
          captured: () => undefined,
        }
        // each piece in a fresh copy of the module, as in a process of its own
        const run = (args: unknown[], shared?: Uint8Array) => {
          pieces++
          return runPiece(
            made(source),
            split.plan,
            { self: undefined, args: copy(args) },
            codec,
            () => shared,
          )
        }
        let result = await run(args)
        for (;;) {
          if (!isPieceResult(result)) return { value: copy(result), pieces, remarks }
          const given = result as PieceResult
          if (given.$farcall === 'value') {
            remarks.push(...given.remarks.map((r) => r.why))
            return { value: copy(given.value), pieces, remarks }
          }
          if (given.$farcall !== 'paused') throw new Error(`a piece gave ${given.$farcall}`)
          remarks.push(...given.remarks.map((r) => r.why))
          const { packed, pause } = given
          const deltas: { from: number; to: number; bytes: Uint8Array }[] = []
          let stuck: string | undefined
          for (let from = 0; from < packed.ranges.length; from += chunk) {
            // several ranges in one process share what they all read
            const work = made(source)
            for (const range of packed.ranges.slice(from, from + chunk)) {
              pieces++
              const call = { self: undefined, args: [{ $farcall: 'items', loop: packed.loop, range }] }
              const done = (await runPiece(work, split.plan, call, codec, () => packed.shared)) as PieceResult
              if (done.$farcall === 'deltas') deltas.push({ ...range, bytes: done.bytes })
              else if (done.$farcall === 'stuck') stuck ??= done.why
            }
          }
          if (stuck !== undefined) remarks.push(stuck)
          result =
            stuck === undefined
              ? await run([{ $farcall: 'rest', pause, whole: packed.whole, deltas }])
              : await run([{ $farcall: 'over', pause }])
        }
      },
    }),
  }
}
