import type { Snapshot } from '../capture/types.ts'
import type { Elsewhere } from '../core/elsewhere.ts'
import { type BlobRef, blobName } from '../core/protocol.ts'
import { sharedBlob } from '../core/shared.ts'
import { filesAmong } from './file-argument.ts'
import { type Parent, ParentsAmong } from './parents.ts'

export interface Input {
  readonly self?: unknown
  readonly args: readonly unknown[]
}

/** The inputs of one submission as they travel: each encoded by itself, beside what they name. */
export class PackedInputs {
  readonly entries: Uint8Array[] = []
  /** Arguments that stand for files, of each input. */
  readonly files: (readonly string[])[] = []
  /** Arguments that stand for values of other jobs, of each input. */
  readonly parents: (readonly Parent[])[] = []
  readonly #shared = new Map<string, BlobRef>()

  /** What `share` gave that is among them. */
  get shared(): readonly BlobRef[] {
    return [...this.#shared.values()]
  }

  /** Gives the jobs whose values are among it. @throws CaptureError naming the path from `root` */
  add(snapshot: Snapshot, input: Input, root: string): readonly Parent[] {
    const parents = new ParentsAmong()
    const entry = snapshot.encode(input, root, (object) => this.#elsewhere(object, parents))
    this.entries.push(entry)
    this.files.push(filesAmong(input.args))
    this.parents.push(parents.all)
    return parents.all
  }

  removeLast(): void {
    this.entries.pop()
    this.files.pop()
    this.parents.pop()
  }

  #elsewhere(object: object, parents: ParentsAmong): Elsewhere | undefined {
    const blob = sharedBlob(object)
    if (blob) this.#shared.set(blobName(blob), blob)
    return blob ? { blob } : parents.add(object)
  }
}
