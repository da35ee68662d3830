/** One item of a member in this process, and the bundle that it needs. */
import type { BundleModule } from '../src/core/bundle-module.ts'
import type { JobSpec } from '../src/core/protocol.ts'
import type { Place } from './arguments.ts'
import { importBundle, readArguments, verifiedBlob } from './bundle.ts'
import type { ReadElsewhere } from './elsewhere.ts'
import { guard } from './exits.ts'
import { provideFiles } from './files.ts'
import type { Stage } from './stage.ts'
import { decodeWith, encodeResult } from './values.ts'

// Taken before user code can replace it with a fake.
const { setImmediate } = globalThis

/** The bundle, where the packages that it does not hold are found. @throws LaunchError */
export async function bundlePath(place: Place, spec: JobSpec): Promise<string> {
  const file = verifiedBlob(place, spec.bundle)
  if (!spec.packages) return file
  const { bundleBeside, packagesFolder } = await import('./packages.ts')
  return bundleBeside(await packagesFolder(place, spec.packages), file)
}

/** @throws LaunchError; what the user's code at the top level throws */
export function loadBundle(
  place: Place,
  spec: JobSpec,
  path: string,
  elsewhere: ReadElsewhere,
  values: Uint8Array = readArguments(place, 0, 0).values,
): Promise<BundleModule> {
  provideFiles()
  return guard(async () => {
    const loaded = await importBundle(path, spec.compiledFor)
    loaded.setValues(decodeWith(loaded, values, elsewhere))
    return loaded
  })
}

/** `keep` is called before user code can run again, since the result shows memory of its own. */
export function runItem(
  bundle: BundleModule,
  bytes: Uint8Array,
  elsewhere: ReadElsewhere,
  files: Stage,
  keep: (result: Uint8Array[]) => void,
): Promise<void> {
  return guard(async () => {
    const call = files.paths(decodeWith(bundle, bytes, elsewhere)) as { self?: unknown; args: unknown[] }
    const value = await bundle.main.apply(call.self, call.args)
    // One turn, so that a rejection which nobody handles is found while this item is the one running.
    await new Promise((resolve) => setImmediate(resolve))
    keep(encodeResult(bundle, value))
  })
}
