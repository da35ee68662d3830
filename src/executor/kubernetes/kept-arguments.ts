import type { JobId } from '../../core/ids.ts'
import type { OpenFile } from './payload.ts'

/** Arguments and bundles of jobs that may be tried again: the cluster has them in Secrets that nobody may read. */
export class KeptArguments {
  readonly #args = new Map<JobId, readonly Uint8Array[] | OpenFile>()
  readonly #bundles = new Map<JobId, Uint8Array>()

  keep(id: JobId, args: readonly Uint8Array[] | OpenFile, bundle: Uint8Array | undefined): void {
    const before = this.#args.get(id)
    if (before && before !== args && 'handle' in before) void before.handle.close()
    this.#args.set(id, args)
    if (bundle) this.#bundles.set(id, bundle)
  }

  argsOf(id: JobId): readonly Uint8Array[] | OpenFile | undefined {
    return this.#args.get(id)
  }

  bundleOf(id: JobId): Uint8Array | undefined {
    return this.#bundles.get(id)
  }

  forget(id: JobId): void {
    const args = this.#args.get(id)
    this.#args.delete(id)
    this.#bundles.delete(id)
    if (args && 'handle' in args) void args.handle.close()
  }

  close(): void {
    for (const id of [...this.#args.keys()]) this.forget(id)
  }
}
