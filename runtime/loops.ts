import type { BundleModule } from '../src/core/bundle-module.ts'
import { enter } from '../src/core/loops/course.ts'
import { count } from '../src/core/loops/items.ts'
import { type Call, type Main, runPiece } from '../src/core/loops/main.ts'
import type { PieceCodec } from '../src/core/loops/pieces.ts'
import type { SplitPlan } from '../src/core/loops/plan.ts'
import type { ReadElsewhere } from './elsewhere.ts'
import { decodeWith, encodePiece } from './values.ts'

/** What a bundle was given: captured values, and what all turns of a loop need. */
interface Given {
  readonly env: unknown
  readonly modules: unknown
  readonly loop?: Uint8Array
}

/** What the text of a function with split loops calls. */
export function provideLoops(bundle: BundleModule, elsewhere: ReadElsewhere): void {
  const run = (main: Main, plan: SplitPlan, call: Call, given: Given) => {
    const codec: PieceCodec = {
      encode: (value, root) => encodePiece(bundle, value, root),
      decode: (bytes) => decodeWith(bundle, bytes, elsewhere),
      captured: () => [given.env, given.modules],
    }
    return runPiece(main, plan, call, codec, () => given.loop)
  }
  Reflect.set(globalThis, Symbol.for('farcall.loops'), { enter, count, run })
}
