import { readFile } from 'node:fs/promises'
import { blobOf } from '../../core/blob.ts'
import type { BlobRef } from '../../core/protocol.ts'

/** The runtime that runs on the node, as built; also its name under blobs/. */
export const runtimeFile = new URL('../../../dist/runtime/farcall-runtime.cjs', import.meta.url)

export interface RuntimeFile {
  readonly ref: BlobRef
  readonly bytes: Uint8Array
}

export async function readRuntime(): Promise<RuntimeFile> {
  const bytes = await readFile(runtimeFile)
  return { ref: blobOf(bytes, 'cjs'), bytes }
}
