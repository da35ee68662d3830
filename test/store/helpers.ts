import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { blobOf } from '../../src/core/blob.ts'
import { newJobId } from '../../src/core/ids.ts'
import { decodeTable, isPackFile } from '../../src/core/pack.ts'
import { type JobSpec, protocolVersion } from '../../src/core/protocol.ts'
import { openStore } from '../../src/store/open.ts'
import { thisProcess } from '../../src/store/owner.ts'
import type { JobStore, NewJob } from '../../src/store/types.ts'
import { removeFolder } from '../remove-folder.ts'

const undo: (() => void)[] = []
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step()
})

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-store-'))
  undo.push(() => removeFolder(folder))
  return folder
}

export interface Opened {
  readonly store: JobStore
  readonly folder: string
  readonly warnings: string[]
  /** Milliseconds since the epoch; the store's clock reads it. */
  time: number
  /** Another connection to the same folder. */
  again(): JobStore
}

export function opened(folder = join(temporaryFolder(), 'store')): Opened {
  const warnings: string[] = []
  const clock = { now: () => state.time }
  const again = () => {
    const store = openStore({ folder, clock, warn: (message) => warnings.push(message) })
    undo.push(() => store.close())
    return store
  }
  const state = { folder, warnings, time: 1_750_000_000_000, again } as Opened & { store: JobStore }
  state.store = again()
  return state
}

export function newJob(
  spec: Partial<JobSpec> = {},
  rest: Partial<NewJob> & { arg?: Uint8Array; code?: string } = {},
): NewJob {
  const { arg = Buffer.from('[42]'), code = 'export const main = (n) => n', ...more } = rest
  const bundle = Buffer.from(code)
  return {
    spec: {
      protocol: protocolVersion,
      id: newJobId(),
      attempt: 1,
      name: 'simulate',
      client: 'ctest',
      function: { name: 'simulate', file: '/home/me/study.ts', line: 12 },
      runtime: { sha256: '', size: 0, ext: 'cjs' },
      bundle: blobOf(bundle, 'mjs'),
      map: false,
      items: 1,
      chunk: 1,
      members: 1,
      resources: { cores: 2, memoryBytes: 2e9 },
      environment: { node: 'auto' },
      createdAt: '2026-01-01T00:00:00.000Z',
      farcall: '0.1.0',
      ...spec,
    },
    profile: {
      name: 'hpc',
      settings: { scheduler: 'slurm', host: 'login', password: { env: 'HPC_PASSWORD' } },
    },
    payload: { args: [Buffer.from('values'), arg], bundle },
    map: '{"version":3}',
    provenance: { farcall: '0.1.0', node: 'v20.0.0', cwd: '/home/me', git: { commit: 'abc', dirty: true } },
    owner: thisProcess(),
    ...more,
  }
}

/** The arguments of a job as the store has them, wherever they lie. */
export function argsOf(store: JobStore, id: string): readonly Uint8Array[] | undefined {
  const args = store.payload(id)?.args
  return args && isPackFile(args) ? decodeTable(readFileSync(args.localPath)) : args
}
