/** Binary data, lifted out of the head into frames: each backing buffer once, so that views stay aliased. */
import { types } from 'node:util'

/** What a view is called on the wire, and the bytes of one element. Float16Array is newer than Node 20. */
export const elementSizes: Readonly<Record<string, number>> = {
  ArrayBuffer: 1,
  Buffer: 1,
  DataView: 1,
  Int8Array: 1,
  Uint8Array: 1,
  Uint8ClampedArray: 1,
  Int16Array: 2,
  Uint16Array: 2,
  Float16Array: 2,
  Int32Array: 4,
  Uint32Array: 4,
  Float32Array: 4,
  Float64Array: 8,
  BigInt64Array: 8,
  BigUint64Array: 8,
}

const typedArrayTag = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!

/** The wire name of an ArrayBuffer or view; undefined for anything else. The same in every realm. */
export function binaryKind(value: object): string | undefined {
  if (ArrayBuffer.isView(value)) {
    if (Buffer.isBuffer(value)) return 'Buffer'
    return (typedArrayTag.call(value) as string | undefined) ?? 'DataView'
  }
  return types.isArrayBuffer(value) ? 'ArrayBuffer' : undefined
}

/** [kind, frame, byte offset, byte length]; the frame and offset are known once the walk has seen all views. */
export type BinaryNode = [string, number, number, number]

interface View {
  readonly node: BinaryNode
  readonly start: number
  readonly end: number
}

export interface BinaryCollector {
  /** Views added so far. */
  readonly count: number
  add(kind: string, value: ArrayBuffer | ArrayBufferView): BinaryNode
  /** Completes the nodes and gives the frames in their order. */
  frames(): Uint8Array[]
}

export function collectBinary(): BinaryCollector {
  const buffers = new Map<ArrayBuffer, View[]>()
  let count = 0
  return {
    get count() {
      return count
    },
    add(kind, value) {
      const buffer = (ArrayBuffer.isView(value) ? value.buffer : value) as ArrayBuffer
      const start = ArrayBuffer.isView(value) ? value.byteOffset : 0
      const node: BinaryNode = [kind, 0, start, value.byteLength]
      const views = buffers.get(buffer)
      const view = { node, start, end: start + value.byteLength }
      if (views) views.push(view)
      else buffers.set(buffer, [view])
      count++
      return node
    },
    frames() {
      const frames: Uint8Array[] = []
      for (const [buffer, views] of buffers)
        for (const [start, end, members] of extents(buffer, views)) {
          for (const { node } of members) {
            node[1] = frames.length
            node[2] -= start
          }
          frames.push(new Uint8Array(buffer, start, end - start))
        }
      return frames
    },
  }
}

/** The whole buffer, or the parts of it that views cover when that is less than half. */
function extents(buffer: ArrayBuffer, views: View[]): [start: number, end: number, members: View[]][] {
  const whole: [number, number, View[]] = [0, buffer.byteLength, views]
  if (views.some(({ node }) => node[0] === 'ArrayBuffer')) return [whole]
  // Node's pool is shared by unrelated Buffers of the process, whose content must not travel along.
  const pool = buffer.byteLength === Buffer.poolSize && views.every(({ node }) => node[0] === 'Buffer')
  // Starts are rounded down to 8, so that a Float64Array stays aligned in its part.
  const grain = pool ? 1 : 8
  views.sort((a, b) => a.start - b.start)
  const parts: [number, number, View[]][] = []
  let covered = 0
  let last: [number, number, View[]] | undefined
  for (const view of views) {
    const start = view.start - (view.start % grain)
    if (last && start < last[1]) {
      covered += Math.max(0, view.end - last[1])
      last[1] = Math.max(last[1], view.end)
      last[2].push(view)
    } else {
      last = [start, view.end, [view]]
      covered += view.end - start
      parts.push(last)
    }
  }
  return !pool && covered * 2 >= buffer.byteLength ? [whole] : parts
}
