import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, extname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../core/errors.ts'

// A configuration is read before farcall runs, maybe by a farcall that is not installed beside it:
// `defineConfig` is all it may use, and it is put in here.
const ourselves = 'export const defineConfig = (config) => config\nexport default { defineConfig }'

/**
 * The default export of a .ts, .mts, .js or .mjs file. Relative imports are bundled, packages are imported from
 * where the file lies. Nothing is left behind beside the file.
 * @throws ConfigError CONFIG_UNREADABLE with the line, when it does not compile or throws
 */
export async function loadScript(file: string, shown: string): Promise<unknown> {
  const code = await compile(file, shown)
  const folder = await mkdtemp(join(tmpdir(), 'farcall-config-'))
  const compiled = join(folder, 'config.mjs')
  try {
    await writeFile(compiled, code, { mode: 0o600 })
    const module = (await import(pathToFileURL(compiled).href)) as { default?: unknown }
    if (module.default === undefined) {
      throw new ConfigError('CONFIG_INVALID', `${shown}: it has no default export`, {
        hint: "write `export default defineConfig({ … })`, with `import { defineConfig } from 'farcall'`",
      })
    }
    return module.default
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    const position = await originalPosition(code, error, compiled, file)
    throw new ConfigError('CONFIG_UNREADABLE', `${shown}${position}: it threw ${message}`, { cause: error })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function compile(file: string, shown: string): Promise<string> {
  const { build } = await import('esbuild')
  try {
    const result = await build({
      entryPoints: [file],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: 'external',
      outfile: join(dirname(file), 'config.mjs'),
      logLevel: 'silent',
      define: {
        'import.meta.url': '__config_url',
        'import.meta.dirname': '__config_dirname',
        'import.meta.filename': '__config_filename',
        __dirname: '__config_dirname',
        __filename: '__config_filename',
      },
      banner: {
        js: `import { createRequire as __config_require } from 'node:module'; const require = __config_require(${JSON.stringify(pathToFileURL(file).href)});`,
      },
      plugins: [
        {
          name: 'farcall-config',
          setup(builder) {
            builder.onResolve({ filter: /^farcall$/ }, () => ({ path: 'farcall', namespace: 'farcall' }))
            builder.onLoad({ filter: /.*/, namespace: 'farcall' }, () => ({
              contents: ourselves,
              loader: 'js',
            }))
            builder.onResolve({ filter: /^[^./]/ }, async ({ path, resolveDir, kind, pluginData }) => {
              if (kind === 'entry-point' || pluginData === 'asked' || path.startsWith('node:'))
                return undefined
              const found = await builder.resolve(path, { resolveDir, kind, pluginData: 'asked' })
              if (found.errors.length > 0) return { errors: found.errors }
              // The compiled file lies elsewhere: packages by full path. A path alias leads to a source: bundled.
              const isPackage = !found.external && found.path.includes('/node_modules/')
              if (!isPackage) return found.external ? { path, external: true } : { path: found.path }
              const target = kind === 'require-call' ? found.path : pathToFileURL(found.path).href
              return { path: target, external: true }
            })
            builder.onLoad({ filter: /\.[cm]?[jt]s$/ }, async ({ path }) => {
              const text = await readFile(path, 'utf8')
              const here = `const __config_url=${JSON.stringify(pathToFileURL(path).href)},__config_filename=${JSON.stringify(path)},__config_dirname=${JSON.stringify(dirname(path))};`
              // In front of the first line, so that lines stay; only where it is used, so that columns do too.
              const used = /import\.meta|__dirname|__filename/.test(text)
              return { contents: used ? here + text : text, loader: /ts$/.test(extname(path)) ? 'ts' : 'js' }
            })
          },
        },
      ],
    })
    const text = (suffix: string) => result.outputFiles.find(({ path }) => path.endsWith(suffix))!.text
    const map = JSON.parse(text('.map')) as { sources: string[] }
    // Full paths: the compiled file runs from another folder.
    map.sources = map.sources.map((source) => join(dirname(file), source))
    const inline = Buffer.from(JSON.stringify(map)).toString('base64')
    return `${text('.mjs')}\n//# sourceMappingURL=data:application/json;base64,${inline}\n`
  } catch (error) {
    const failures = (error as { errors?: { text: string; location?: Location | null }[] }).errors
    if (!failures) throw error
    const problems = failures.map(({ text, location }) => `${place(location, file, shown)}: ${text}`)
    throw new ConfigError('CONFIG_UNREADABLE', problems.join('\n'), { cause: error })
  }
}

interface Location {
  file: string
  line: number
  column: number
}

function place(location: Location | null | undefined, file: string, shown: string): string {
  if (!location) return shown
  const path = join(process.cwd(), location.file)
  return `${path === file ? shown : path}:${location.line}:${location.column + 1}`
}

/** ':12:5' of the user's file, from the first frame of the compiled one. */
async function originalPosition(
  code: string,
  error: unknown,
  compiled: string,
  file: string,
): Promise<string> {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  // Under --enable-source-maps the stack already names the original.
  const mapped = stack.match(new RegExp(`${escapeRegExp(file)}:(\\d+:\\d+)`))
  if (mapped) return `:${mapped[1]}`
  const frame = stack.match(new RegExp(`${escapeRegExp(compiled)}:(\\d+):(\\d+)`))
  const map = code.match(/base64,(\S+)\s*$/)
  if (!frame || !map) return ''
  const { TraceMap, originalPositionFor } = await import('@jridgewell/trace-mapping')
  const trace = new TraceMap(Buffer.from(map[1]!, 'base64').toString())
  const original = originalPositionFor(trace, { line: Number(frame[1]), column: Number(frame[2]) - 1 })
  if (original.source === null) return ''
  const within = original.source === file ? '' : ` (${relative(dirname(file), original.source)})`
  return `:${original.line}:${original.column + 1}${within}`
}

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
