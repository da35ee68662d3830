import { Course, type Deltas, follow, type Part, type Pause, type Remark } from './course.ts'
import {
  itemsOfRange,
  type PackedLoop,
  type PieceCodec,
  packDeltas,
  packLoop,
  packPause,
  type Range,
  type Shared,
  sharedFrom,
  unpackDeltas,
  unpackPause,
  unpackShared,
} from './pieces.ts'
import type { LoopPlan, SplitPlan } from './plan.ts'

/** What a call of a split function is given instead of its arguments, but for the first one. */
export type PieceCall =
  | { readonly $farcall: 'items'; readonly loop: number; readonly range: Range }
  | {
      readonly $farcall: 'rest'
      readonly pause: Uint8Array
      readonly whole: boolean
      readonly deltas: readonly (Pick<Range, 'from' | 'to'> & { readonly bytes: Uint8Array })[]
    }
  | { readonly $farcall: 'over'; readonly pause: Uint8Array }

/** What it gives then. A value by itself is the function's own result. */
export type PieceResult =
  | {
      readonly $farcall: 'paused'
      readonly packed: PackedLoop
      readonly pause: Uint8Array
      readonly remarks: readonly Remark[]
    }
  | { readonly $farcall: 'deltas'; readonly bytes: Uint8Array }
  | { readonly $farcall: 'stuck'; readonly why: string }
  | { readonly $farcall: 'value'; readonly value: unknown; readonly remarks: readonly Remark[] }

export const isPieceCall = (value: unknown): value is PieceCall => hasMark(value, ['items', 'rest', 'over'])
export const isPieceResult = (value: unknown): value is PieceResult =>
  hasMark(value, ['paused', 'deltas', 'stuck', 'value'])

const hasMark = (value: unknown, marks: readonly string[]) =>
  typeof value === 'object' &&
  value !== null &&
  marks.includes((value as { $farcall?: string }).$farcall ?? '')

export type Main = (this: unknown, ...args: unknown[]) => unknown

export interface Call {
  readonly self: unknown
  readonly args: readonly unknown[]
}

/**
 * Runs the piece of a function that a call asks for.
 *
 * @param light it is run where the loops' bodies are not there: it throws where one would have to run
 */
export async function runPiece(
  main: Main,
  plan: SplitPlan,
  call: Call,
  codec: PieceCodec,
  shared: () => Uint8Array | undefined,
  light = false,
): Promise<unknown> {
  const [piece] = call.args
  if (!isPieceCall(piece))
    return settle(plan, codec, { part: 'begin' }, call.self, light, () =>
      main.apply(call.self, [...call.args]),
    )
  if (piece.$farcall === 'items') {
    const within = sharedHere(shared()!, codec)
    const { items, own } = itemsOfRange(within, piece.range, codec)
    const self = typeof call.self === 'function' ? call.self : within.self
    const pause: Pause = { loop: piece.loop, values: within.values, self, items }
    const course = new Course(
      plan,
      { part: 'items', pause, from: piece.range.from, to: piece.range.to },
      self,
    )
    const done = (await follow(course, () => main.apply(self, blanks))) as { deltas: Deltas }
    let bytes: Uint8Array | undefined
    const why = refusalOf(() => {
      bytes = packDeltas(done.deltas, within, own, codec)
    })
    return why === undefined ? { $farcall: 'deltas', bytes } : { $farcall: 'stuck', why }
  }
  const pause = unpackPause(piece.pause, call.self, codec)
  if (piece.$farcall === 'over') return resume(main, plan, { part: 'over', pause }, codec, light)
  const within = sharedFrom(plan.loops[pause.loop]!, pause, piece.whole, codec)
  const deltas = piece.deltas.map(({ from, to, bytes }) =>
    unpackDeltas(bytes, within, piece.whole ? [] : (pause.items as unknown[]).slice(from, to), codec),
  )
  return resume(main, plan, { part: 'rest', pause, deltas }, codec, light)
}

/** Goes on behind a loop, or with it. */
async function resume(
  main: Main,
  plan: SplitPlan,
  part: Part & { pause: Pause },
  codec: PieceCodec,
  light: boolean,
): Promise<unknown> {
  const { self } = part.pause
  return settle(plan, codec, part, self, light, () => main.apply(self, blanks))
}

async function settle(
  plan: SplitPlan,
  codec: PieceCodec,
  part: Part,
  self: unknown,
  light: boolean,
  run: () => unknown,
): Promise<unknown> {
  let packed: { packed: PackedLoop; pause: Uint8Array } | undefined
  const mayPause = (pause: Pause) =>
    refusalOf(() => {
      packed = { packed: packLoop(loopOf(plan, pause), pause, codec), pause: packPause(pause, codec) }
    })
  const course = new Course(plan, part, self, mayPause, light)
  const done = await follow(course, run)
  const { remarks } = course
  if ('pause' in done) return { $farcall: 'paused', ...packed!, remarks }
  if ('deltas' in done) throw new Error('a piece of a loop ended where another one was asked for')
  return remarks.length === 0 ? done.value : { $farcall: 'value', value: done.value, remarks }
}

const loopOf = (plan: SplitPlan, { loop }: Pause): LoopPlan => plan.loops[loop]!

function refusalOf(attempt: () => unknown): string | undefined {
  try {
    attempt()
    return undefined
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'VALUE_REFUSED') throw error
    const [first = ''] = (error as Error).message.split('\n')
    const named = /^value\.value\.(?:values|containers)\.([\w$]+)([^:]*): (.*)$/.exec(first)
    return named ? `'${named[1]}${named[2]}' cannot travel: ${named[3]}` : first
  }
}

const last: { bytes: Uint8Array | undefined; shared: Shared | undefined } = {
  bytes: undefined,
  shared: undefined,
}

function sharedHere(bytes: Uint8Array, codec: PieceCodec): Shared {
  if (last.bytes !== bytes) Object.assign(last, { bytes, shared: unpackShared(bytes, codec) })
  return last.shared!
}

/** Takes the place of every parameter of a function that goes on in its middle: patterns and defaults do nothing. */
const blank: object = new Proxy(() => {}, {
  get: (_, key) => (key === Symbol.iterator ? endless : key === Symbol.toPrimitive ? () => 0 : blank),
})
function* endless(): Generator<object> {
  for (;;) yield blank
}
const blanks = new Array<unknown>(32).fill(blank)
