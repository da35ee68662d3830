/** One item of a member in this process, and the bundle that it needs. */
import type { BundleModule } from '../src/core/bundle-module.ts'
import type { JobSpec } from '../src/core/protocol.ts'
import type { Place } from './arguments.ts'
import { importBundle, readArguments, verifiedBlob } from './bundle.ts'
import type { ReadElsewhere } from './elsewhere.ts'
import { guard } from './exits.ts'
import { provideFiles } from './files.ts'
import type { Parents } from './parents.ts'
import type { Stage } from './stage.ts'
import { decodeWith, encodeResult, encodeYield } from './values.ts'
import type { Yields } from './yields.ts'

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
    if (spec.command) (await import('./command.ts')).provideCommands(place, spec)
    if (loaded.splits) (await import('./loops.ts')).provideLoops(loaded, elsewhere)
    loaded.setValues(() => decodeWith(loaded, values, elsewhere))
    return loaded
  })
}

/**
 * `keep` is called before user code can run again, since the result shows memory of its own. Of a generator it is what
 * it returns; `yields` takes what it yields. Of what is not `wanted` nothing is encoded, so that it may be anything.
 */
export function runItem(
  bundle: BundleModule,
  bytes: Uint8Array,
  elsewhere: ReadElsewhere,
  parents: Parents,
  files: Stage,
  keep: (result: Uint8Array[]) => void,
  yields?: Yields,
  wanted = true,
): Promise<void> {
  return guard(async () => {
    const call = files.paths(await parents.decode(bundle, bytes, elsewhere)) as {
      self?: unknown
      args: unknown[]
    }
    const returned = bundle.main.apply(call.self, call.args)
    const value = await (yields ? readAll(bundle, returned as AnyGenerator, yields) : returned)
    // One turn, so that a rejection which nobody handles is found while this item is the one running.
    await new Promise((resolve) => setImmediate(resolve))
    keep(wanted ? encodeResult(bundle, value) : [])
  })
}

type AnyGenerator = AsyncGenerator | Generator

/** Gives what it returns. */
async function readAll(bundle: BundleModule, generator: AnyGenerator, yields: Yields): Promise<unknown> {
  let isOpen = true
  try {
    for (let count = 0; ; count++) {
      isOpen = false
      const { done, value } = await generator.next()
      if (done) return value
      isOpen = true
      await yields.take(encodeYield(bundle, await value, count))
    }
  } finally {
    // Its own `finally` blocks run, whatever kept the value from being taken: that is told, and not what they throw.
    if (isOpen) await Promise.resolve(generator.return(undefined)).catch(() => undefined)
  }
}
