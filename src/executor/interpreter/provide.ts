import { open, readFile } from 'node:fs/promises'
import { FarcallError } from '../../core/errors.ts'
import { isWanted } from '../../core/node-setting.ts'
import { readElf } from './elf.ts'
import { downloadNode, listVersions } from './npm.ts'
import { type Runtime, Shelf } from './shelf.ts'
import { cannot, rankVersions, requirePlatform, type Target, whyUnfit } from './target.ts'

/** Downloads at most so many versions until one fits. */
const mostTries = 3

/** What this process is and reaches; an argument, for tests. */
export interface Provider {
  readonly cacheDir: string
  /** The Node of this process; undefined: it runs in something else. */
  readonly execPath: string | undefined
  readonly version: string
  listVersions(platform: string): Promise<string[]>
  downloadNode(platform: string, version: string): Promise<Uint8Array>
}

export function thisMachine(cacheDir: string): Provider {
  const { versions } = process
  // Deno and Bun say which Node they are like
  const execPath = 'deno' in versions || 'bun' in versions ? undefined : process.execPath
  return { cacheDir, execPath, version: versions.node, listVersions, downloadNode }
}

/**
 * A Node for a machine: the one that runs here where it fits, one of the cache, or one from the npm registry.
 * @throws FarcallError INTERPRETER_MISSING, in words that say what to do
 */
export async function provideRuntime(target: Target, provider: Provider): Promise<Runtime> {
  const platform = requirePlatform(target)
  const shelf = new Shelf(provider.cacheDir)
  const isFit = (runtime: Runtime) =>
    isWanted(runtime.version, target.versions) &&
    !target.unfit.includes(runtime.name) &&
    whyUnfit(runtime.elf, target) === undefined
  const kept = (await shelf.list(platform)).filter(isFit)
  const [best] = rankVersions(
    kept.map(({ version }) => version),
    target,
    provider.version,
  )
  const known = kept.find(({ version }) => version === best)
  if (known?.version === provider.version) return known
  const own = await ownProgram(target, platform, provider)
  if (own) return shelf.add(provider.version, platform, own)
  if (known) return known
  return fromRegistry(target, platform, provider, shelf)
}

/** The program of this process, where it would start there; one that keeps its code in libraries of its own would not. */
async function ownProgram(
  target: Target,
  platform: string,
  { execPath, version }: Provider,
): Promise<Uint8Array | undefined> {
  if (!isWanted(version, target.versions) || target.unfit.includes(`${version}-${platform}`)) return undefined
  if (execPath === undefined || !(await isElf(execPath))) return undefined
  const program = await readFile(execPath)
  return whyUnfit(readElf(program), target) === undefined ? program : undefined
}

async function isElf(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.toString('latin1') === '\x7fELF'
  } finally {
    await file.close()
  }
}

async function fromRegistry(
  target: Target,
  platform: string,
  provider: Provider,
  shelf: Shelf,
): Promise<Runtime> {
  const ranked = rankVersions(await asking(() => provider.listVersions(platform)), target, provider.version)
  const why: string[] = target.unfit.map((name) => `${name} does not start there`)
  for (const version of ranked
    .filter((version) => !target.unfit.includes(`${version}-${platform}`))
    .slice(0, mostTries)) {
    const program = await asking(() => provider.downloadNode(platform, version))
    const problem = whyUnfit(readElf(program), target)
    if (problem === undefined) return shelf.add(version, platform, program)
    why.push(`Node ${version}: ${problem}`)
  }
  const words = why.join('; ') || 'the registry has no such version'
  throw cannot(`farcall has no Node that starts on ${target.platform.host}: ${words}`)
}

async function asking<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof FarcallError) throw error
    throw cannot(`a Node to send could not be had from the npm registry: ${(error as Error).message}`, {
      hint: '`npm config get registry` says where it was looked for; else load Node on the cluster by a module, or name one with environment.node',
      cause: error,
    })
  }
}
