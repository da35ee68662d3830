import type { Snapshot } from '../../capture/types.ts'
import type { Elsewhere } from '../../core/elsewhere.ts'
import { type BlobRef, blobName } from '../../core/protocol.ts'
import { sharedBlob } from '../../core/shared.ts'
import { filesAmong } from '../payload/file-argument.ts'
import { Repeats } from '../payload/repeats.ts'
import { Slabs } from '../payload/slabs.ts'
import type { Parent } from '../submission/parents.ts'
import { ParentsAmong } from './parents-among.ts'

const none: readonly number[] = []
const nothing = new Uint8Array()

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
  /** Of what they name by number, the numbers. */
  readonly #names: (readonly number[])[] = []
  readonly #shared = new Map<string, BlobRef>()
  readonly #slabs = new Slabs()
  readonly #repeats: Repeats | undefined
  #trusted = true

  /** `whole`: an input's bytes say all that it holds, as the cache of calls needs it. */
  constructor({ whole = false }: { whole?: boolean } = {}) {
    if (!whole) this.#repeats = new Repeats()
  }

  /** What `share` gave that is among them. */
  get shared(): readonly BlobRef[] {
    return [...this.#shared.values()]
  }

  /** What they name by number: values that repeat. */
  get repeated(): readonly Uint8Array[] {
    return this.#repeats?.entries ?? []
  }

  /**
   * Gives the jobs whose values are among it. `trusted`: no code of the user's has run since the last one, so that an object
   * that is met again holds what it held.
   * @throws CaptureError naming the path from `root`
   */
  add(snapshot: Pick<Snapshot, 'encode'>, input: Input, root: string, trusted = false): readonly Parent[] {
    this.#trusted &&= trusted
    const parents = new ParentsAmong()
    const elsewhere = (object: object) => this.#elsewhere(object, parents)
    const bytes = this.#repeats
      ? this.#repeats.encode(snapshot, input, root, elsewhere, this.#trusted)
      : snapshot.encode(input, root, elsewhere)
    this.entries.push(this.#slabs.keep(bytes))
    this.#names.push(this.#repeats?.named ?? none)
    this.files.push(filesAmong(input.args))
    this.parents.push(parents.all)
    return parents.all
  }

  /** Takes the first so many away, with what they name. */
  shift(most: number) {
    const isAll = most >= this.entries.length
    const named = new Set(this.#names.splice(0, most).flat())
    return {
      entries: this.entries.splice(0, most),
      files: this.files.splice(0, most),
      parents: this.parents.splice(0, most),
      shared: this.shared,
      // Numbers stay what they are.
      repeated: isAll ? this.repeated : this.repeated.map((bytes, at) => (named.has(at) ? bytes : nothing)),
    }
  }

  removeLast(): void {
    this.entries.pop()
    this.files.pop()
    this.parents.pop()
    this.#names.pop()
  }

  #elsewhere(object: object, parents: ParentsAmong): Elsewhere | undefined {
    const blob = sharedBlob(object)
    if (blob) this.#shared.set(blobName(blob), blob)
    return blob ? { blob } : parents.add(object)
  }
}
