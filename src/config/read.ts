import { open, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Loader } from 'cosmiconfig'
import { ConfigError } from '../core/errors.ts'
import { loadScript } from './script.ts'

export const projectPlaces = [
  ...['ts', 'mts', 'js', 'mjs', 'json', 'yaml', 'yml'].map((extension) => `farcall.config.${extension}`),
  '.farcallrc',
  'package.json',
]
export const folderPlaces = ['ts', 'mts', 'js', 'mjs', 'json', 'yaml', 'yml'].map(
  (extension) => `config.${extension}`,
)

export interface Found {
  file: string
  content: unknown
}

interface ReadOptions {
  /** The only key that is wanted: a file of data without that word in it is taken for an empty one, and not parsed. */
  only?: string
  places: readonly string[]
  /** How a path is written in messages. */
  show: (file: string) => string
  /** Throws when a file of this owner may not be used. */
  trust: (file: string, owner: number) => void
}

/**
 * The configuration in one folder, or undefined when there is none.
 * @throws ConfigError CONFIG_UNREADABLE when it is there and cannot be read or parsed
 */
export async function readFolder(folder: string, options: ReadOptions): Promise<Found | undefined> {
  // cosmiconfig passes over a file that it may not read; the user would wonder why nothing is set.
  const there: string[] = []
  for (const place of options.places) {
    const file = join(folder, place)
    const stats = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EACCES') return undefined
      throw unreadable(options.show(file), error)
    })
    if (!stats || stats.isDirectory()) continue
    const handle = await open(file).catch((error: Error) => {
      throw unreadable(options.show(file), error)
    })
    // Nearly every project has one, and seldom with a word of ours: loading cosmiconfig for it would take longest.
    const text = isData.test(place) ? await handle.readFile('utf8') : ''
    await handle.close()
    if (place === 'package.json' && saysNothing(text)) continue
    if (there.length === 0 && options.only !== undefined && isData.test(place) && lacks(text, options.only))
      return { file, content: {} }
    there.push(place)
  }
  if (there.length === 0) return undefined
  const explorer = await explore(there, options)
  try {
    const found = await explorer.search(folder)
    return found ? { file: found.filepath, content: found.isEmpty ? {} : found.config } : undefined
  } finally {
    explorer.clearCaches()
  }
}

const isData = /(\.json|\.ya?ml|^\.farcallrc|^package\.json)$/

/** An escape may spell anything. */
const lacks = (text: string, word: string): boolean => !text.includes(word) && !text.includes('\\')

function saysNothing(manifest: string): boolean {
  try {
    return !Object.hasOwn(JSON.parse(manifest) as object, 'farcall')
  } catch {
    return false // it is read once more, for the words of the error
  }
}

/** One file, named by the user. */
export async function readFile(file: string, options: Omit<ReadOptions, 'places'>): Promise<Found> {
  const explorer = await explore([basename(file)], options)
  try {
    const found = await explorer.load(file)
    return { file, content: !found || found.isEmpty ? {} : found.config }
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(options.show(file), error as Error)
  }
}

async function explore(
  places: readonly string[],
  { show, trust }: ReadOptions | Omit<ReadOptions, 'places'>,
) {
  const { cosmiconfig } = await import('cosmiconfig')
  const guard =
    (loader: (file: string, text: string, shown: string) => unknown): Loader =>
    async (file, text) => {
      const shown = show(file)
      trust(file, (await stat(file)).uid)
      return (await loader(file, text, shown)) as object
    }
  const script = guard((file, _text, shown) => loadScript(file, shown))
  const yaml = guard((_file, text, shown) => parseYaml(text, shown))
  return cosmiconfig('farcall', {
    searchPlaces: [...places],
    searchStrategy: 'none',
    ignoreEmptySearchPlaces: false,
    cache: false,
    loaders: {
      '.ts': script,
      '.mts': script,
      '.js': script,
      '.mjs': script,
      '.json': guard((_file, text, shown) => parseJson(text, shown)),
      '.yaml': yaml,
      '.yml': yaml,
      noExt: yaml,
    },
  })
}

async function parseJson(text: string, shown: string): Promise<unknown> {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // JSON.parse tells the place only sometimes, and quotes what stands around it, which may be a secret.
    const { transform } = await import('esbuild')
    const [failure] = await transform(text, { loader: 'json', logLevel: 'silent' }).then(
      () => [],
      (error: { errors: { text: string; location: { line: number; column: number } | null }[] }) =>
        error.errors,
    )
    const place = failure?.location ? `:${failure.location.line}:${failure.location.column + 1}` : ''
    const what = failure?.text.replace(/"[^"]{2,}"$/, 'text') ?? 'not valid JSON'
    throw new ConfigError('CONFIG_UNREADABLE', `${shown}${place}: ${what}`, { cause })
  }
}

async function parseYaml(text: string, shown: string): Promise<unknown> {
  const { LineCounter, parseDocument } = await import('yaml')
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const problems = [...document.errors, ...document.warnings].map(({ pos, message }) => {
    const { line, col } = lineCounter.linePos(pos[0])
    return `${shown}:${line}:${col}: ${message}`
  })
  if (problems.length > 0) throw new ConfigError('CONFIG_UNREADABLE', problems.join('\n'))
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new ConfigError('CONFIG_UNREADABLE', `${shown}: ${(error as Error).message}`, { cause: error })
  }
}

function unreadable(shown: string, error: Error): ConfigError {
  return new ConfigError('CONFIG_UNREADABLE', `${shown}: it cannot be read: ${error.message}`, {
    cause: error,
    hint: 'make it readable for you, or remove it',
  })
}
