import type { BlobRef } from './protocol.ts'

/** Where a value lies whose bytes are not where it is named; plain JSON, the content of the codec's tag $X. */
export type Elsewhere =
  /** Under blobs/: what `share` gave. */
  | { readonly blob: BlobRef }
  /** Beside the items' arguments in args.pack, once for all of them. */
  | { readonly entry: number }
  /** The value of another job: `id[k]`, or `id` for that of all its items. */
  | { readonly job: string }
