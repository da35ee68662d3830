import { readFile } from 'node:fs/promises'
import { blobOf } from '../../core/blob.ts'
import type { BlobRef } from '../../core/protocol.ts'

/** The runtime that runs on the node, as built; also its name under blobs/. */
export const runtimeFile = new URL('../../../dist/runtime/farcall-runtime.cjs', import.meta.url)

export async function readRuntime(): Promise<{ ref: BlobRef; bytes: Uint8Array }> {
  const bytes = await readFile(runtimeFile)
  return { ref: blobOf(bytes, 'cjs'), bytes }
}
