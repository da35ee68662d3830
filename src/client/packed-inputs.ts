import type { Snapshot } from '../capture/types.ts'
import type { Elsewhere } from '../core/elsewhere.ts'
import { type BlobRef, blobName } from '../core/protocol.ts'
import { sharedBlob } from '../core/shared.ts'
import { filesAmong } from './file-argument.ts'

/** The inputs of one submission as they travel: each encoded by itself, beside what they name. */
export class PackedInputs {
  readonly entries: Uint8Array[] = []
  /** Arguments that stand for files, of each input. */
  readonly files: (readonly string[])[] = []
  readonly #shared = new Map<string, BlobRef>()

  /** What `share` gave that is among them. */
  get shared(): readonly BlobRef[] {
    return [...this.#shared.values()]
  }

  /** @throws CaptureError naming the path from `root` */
  add(
    snapshot: Snapshot,
    input: { readonly self?: unknown; readonly args: readonly unknown[] },
    root: string,
  ): void {
    this.entries.push(snapshot.encode(input, root, this.#elsewhere))
    this.files.push(filesAmong(input.args))
  }

  readonly #elsewhere = (object: object): Elsewhere | undefined => {
    const blob = sharedBlob(object)
    if (blob) this.#shared.set(blobName(blob), blob)
    return blob && { blob }
  }
}
