import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { evaluatesCells, readyForSnapshot, snapshot as takeSnapshot } from '../../capture/snapshot.ts'
import type { Bundle } from '../../capture/types.ts'
import { decode } from '../../codec/codec.ts'
import { cacheFolder } from '../../config/cache-folder.ts'
import { grantedCores, grantedMemory } from '../../core/granted.ts'
import { thisMachine } from '../../core/machine.ts'
import { sharedElsewhere } from '../../core/shared.ts'
import { checkLocalMap, type LocalMapOptions, readItems } from '../../threads/options.ts'
import { travelsAsItIs } from '../../threads/packet.ts'
import { ThreadPool } from '../../threads/pool.ts'
import { decodeOptions, readOutcome } from '../outcome/outcome.ts'
import type { Inputs } from '../payload/inputs.ts'
import { sharedFolder } from '../payload/shared-files.ts'
import { localTask } from './task.ts'

/**
 * Runs `fn` for each item in worker threads of this process, inside a job or outside of any, and gives the results in
 * the order of the items. The function and what it captures travel as to a job: what cannot is refused by name, and
 * variables that it assigns to are, too. SharedArrayBuffers are shared, all else is copied. Threads stay for the next
 * call. The first failure rejects, with the `index` of its item; threads that then still run an item are ended, and no
 * further item begins. Called inside an item of another localMap it runs its items one after the other.
 *
 * @throws (by rejecting) what `fn` threw; CaptureError for what cannot travel; FarcallError THREAD_ENDED when an item
 * calls process.exit or fills its thread's heap; ConfigError OPTION_INVALID
 * @example
 * import { cluster, localMap } from 'farcall'
 *
 * const simulate = cluster({ cores: 2 }, async (seeds: number[]) => {
 *   const scale = 10
 *   return localMap(seeds, (seed) => scale * Math.sin(seed))
 * })
 * console.log(await simulate([1, 2, 3]))
 */
export async function localMap<T, R>(
  items: Inputs<T>,
  fn: (item: T) => R,
  options: LocalMapOptions = {},
): Promise<Awaited<R>[]> {
  checkLocalMap(items, fn, options)
  const here: { stack?: string } = {}
  Error.captureStackTrace(here, localMap)
  const { stack = '' } = here
  const shared: SharedArrayBuffer[] = []
  if (evaluatesCells) await readyForSnapshot()
  const snapshot = takeSnapshot(fn, stack, { cacheDir: cacheFolder(process.env, homedir()), shared })
  const given = await readItems(items)
  // All of them first: the classes that they bring are in the bundle then.
  const written = given.map((item, index) =>
    travelsAsItIs(item) ? undefined : snapshot.encode(item, `items[${index}]`, sharedElsewhere),
  )
  const bundle = await snapshot.bundle(Number.parseInt(process.versions.node, 10))
  const { facts, call } = localTask()
  const classes = snapshot.classes()
  const callSite = stack.split('\n').slice(1).join('\n')
  const decoder = { classes, map: bundle.map, callSite, from: 'localMap' }
  const results = await poolOf(bundle).run({
    items: given,
    concurrency: options.concurrency ?? facts?.cores ?? grantedCores(undefined, thisMachine()),
    begin: { kind: 'begin', values: snapshot.values(), shared, facts, seed: ['localMap', call] },
    write: (_, index, its) => {
      its.push(...shared)
      return [written[index]!]
    },
    read: (bytes, its) => decode(bytes, { ...decodeOptions({ classes }), shared: its }),
    readError: (bytes) => {
      const outcome = readOutcome('error', bytes, decoder)
      return outcome.ok ? undefined : outcome.thrown
    },
  })
  return results as Awaited<R>[]
}

/** Pools of functions that were called last; each holds threads. */
const pools = new Map<string, ThreadPool>()
const mostPools = 4

function poolOf(bundle: Bundle): ThreadPool {
  const { hash } = bundle
  const known = pools.get(hash)
  pools.delete(hash)
  const pool =
    known ??
    new ThreadPool({
      file: program,
      data: { bundle: fileOf(bundle), blobs: sharedFolder(cacheFolder(process.env, homedir())) },
      memory: memory(),
    })
  pools.set(hash, pool)
  for (const [oldest, { isResting }] of pools) {
    if (pools.size <= mostPools || !isResting) break
    void pools.get(oldest)!.close()
    pools.delete(oldest)
  }
  return pool
}

const program = new URL('../../../dist/runtime/farcall-runtime.cjs', import.meta.url)
const memory = () => grantedMemory(undefined, thisMachine())

let folder: string | undefined

/** Threads import a file, beside the packages that it does not hold. It goes with the process. */
function fileOf({ hash, code, packages }: Bundle): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'farcall-threads-'))
    process.on('exit', () => rmSync(made, { recursive: true, force: true }))
    folder = made
  }
  const own = join(folder, hash)
  const file = join(own, `${hash}.mjs`)
  if (existsSync(file)) return file
  mkdirSync(own, { recursive: true })
  for (const { alias, folder: installed } of packages) {
    const link = join(own, 'node_modules', alias)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(installed, link)
  }
  writeFileSync(file, code)
  return file
}
