import { createHash } from 'node:crypto'
import type { BlobRef } from './protocol.ts'

/** What bytes are called under blobs/: by their content. `ext` is without the dot. */
export function blobOf(bytes: Uint8Array, ext: string): BlobRef {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.byteLength, ext }
}
