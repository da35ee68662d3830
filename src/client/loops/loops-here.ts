import { Script } from 'node:vm'
import type { Snapshot, SnapshotLoops } from '../../capture/types.ts'
import { decode } from '../../codec/codec.ts'
import { enter } from '../../core/loops/course.ts'
import { count } from '../../core/loops/items.ts'
import { isPieceResult, type Main, type PieceResult, runPiece } from '../../core/loops/main.ts'
import type { PieceCodec } from '../../core/loops/pieces.ts'
import { blank, decodeOptions } from '../outcome/outcome.ts'

type Split = NonNullable<SnapshotLoops['split']>

/**
 * Runs a light piece of a function in this process: what it does is next to nothing, and needs nothing of the cluster.
 * Undefined when it cannot, for whatever reason: a job then runs it, and says what is wrong if something is.
 *
 * @param call the encoded call, as a job would get it
 */
export async function runHere(
  snapshot: Snapshot,
  split: Split,
  call: Uint8Array,
): Promise<{ result: PieceResult } | { value: unknown } | undefined> {
  const codec: PieceCodec = {
    encode: (value, root) => snapshot.encode(value, root),
    decode: (bytes) => decodeHere(snapshot, bytes),
    captured: () => undefined,
  }
  try {
    const main = new Script(split.light!, { filename: 'farcall-light' }).runInThisContext()({ enter, count })
    const { self, args } = codec.decode(call) as { self?: unknown; args: unknown[] }
    const result = await runPiece(main as Main, split.plan, { self, args }, codec, () => undefined, true)
    if (isPieceResult(result)) return { result }
    return { value: codec.decode(codec.encode(result, 'result')) }
  } catch {
    return undefined
  }
}

/** As the node would, but for what only the bundle can make. */
function decodeHere(snapshot: Snapshot, bytes: Uint8Array): unknown {
  const classes = snapshot.classes()
  const classOf = (id: string) => {
    const type = classes.get(id)
    if (!type) throw new Error(`this program has not captured ${id}`)
    return type
  }
  return decode(bytes, {
    ...decodeOptions({ classes }),
    resolve: classOf,
    instantiate(id) {
      const { object, fill } = blank(classOf(id))
      return {
        object,
        fill(fields, privates) {
          if (Object.keys(privates).length > 0) throw new Error(`${id} has #private fields`)
          fill(fields)
        },
      }
    },
  })
}
