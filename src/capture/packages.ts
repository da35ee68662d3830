import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CaptureError } from '../core/errors.ts'
import { readJson } from './sources.ts'

interface Manifest {
  name?: string
  gypfile?: boolean
  binary?: unknown
  napi?: unknown
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

const loaders = new Set([
  'bindings',
  'node-gyp-build',
  'prebuild-install',
  'node-addon-api',
  '@mapbox/node-pre-gyp',
  'nan',
])
const known = new Map<string, string | undefined>()

/** @throws CaptureError CAPTURE_EXTERNAL when the file belongs to a package with compiled parts */
export function refuseExternal(path: string, importer: string): void {
  if (path.endsWith('.node')) throw external(path, 'it is a native add-on', importer)
  if (!path.includes('/node_modules/')) return
  const { folder, name } = packageOf(path)
  if (!known.has(folder)) known.set(folder, whyNative(folder))
  const why = known.get(folder)
  if (why) throw external(name, why, importer)
}

const folderReaders =
  /\b(?:readFile(?:Sync)?|createReadStream|join|resolve|dlopen|new Worker|require\.resolve)\s*\([^;\n]{0,120}\b(?:__dirname|__filename)\b|new URL\([^;\n]{0,120}import\.meta\.url|fileURLToPath\(\s*import\.meta\.url/

/** @throws CaptureError CAPTURE_EXTERNAL when code that is in the bundle reads files beside it, which are not */
export function refuseFolderReader(path: string): void {
  const { folder, name } = packageOf(path)
  const key = `reads\0${path}`
  if (!known.has(key)) {
    const text = readFileSync(path, 'utf8')
    known.set(key, folderReaders.test(text) ? 'it reads files of its own folder' : undefined)
  }
  const why = known.get(key)
  if (why) throw external(name, `${why} (${path.slice(folder.length + 1)})`, '')
}

/** '@scope/name/deep/file.js' -> '@scope/name' */
export function packageName(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/')
}

function packageOf(path: string): { folder: string; name: string } {
  const at = path.lastIndexOf('/node_modules/') + '/node_modules/'.length
  const name = packageName(path.slice(at))
  return { folder: path.slice(0, at) + name, name }
}

function whyNative(folder: string): string | undefined {
  const manifest = readJson<Manifest>(join(folder, 'package.json'))
  if (!manifest) return undefined
  if (manifest.gypfile || existsSync(join(folder, 'binding.gyp'))) return 'it is compiled with node-gyp'
  if (manifest.napi || (manifest.binary && typeof manifest.binary === 'object'))
    return 'it has native add-ons'
  const loader = Object.keys(manifest.dependencies ?? {}).find((d) => loaders.has(d))
  if (loader) return `it loads native add-ons with ${loader}`
  const platform = Object.keys(manifest.optionalDependencies ?? {}).find((d) => /linux-?(x64|arm64)/.test(d))
  if (platform) return `it has a part for each platform, such as ${platform}`
  if (readdirSync(folder).some((f) => f.endsWith('.node'))) return 'it has native add-ons'
  return undefined
}

function external(name: string, why: string, importer: string): CaptureError {
  return new CaptureError(
    'CAPTURE_EXTERNAL',
    `the package '${name}' cannot be bundled: ${why}${importer && !importer.startsWith('farcall-') ? ` (imported by ${dirname(importer)})` : ''}`,
    {
      hint: 'do without it inside the function: use it here, on what the function gives back',
    },
  )
}
