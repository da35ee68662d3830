import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type BuildFailure, build, type Message } from 'esbuild'

/**
 * One TypeScript file as JavaScript that this Node runs, decorators of both dialects lowered. esbuild reads the
 * tsconfig.json nearest to the file, so that experimentalDecorators is what the project says, wherever it is run from.
 */
export async function compile(file: string): Promise<{ format: 'module' | 'commonjs'; source: string }> {
  const text = await readFile(file, 'utf8')
  const format = file.endsWith('.cts') || isCommonJs(text) ? 'commonjs' : 'module'
  try {
    const { outputFiles } = await build({
      entryPoints: [file],
      write: false,
      // The map names its source relative to here.
      outdir: dirname(file),
      format: format === 'module' ? 'esm' : 'cjs',
      platform: 'node',
      target: 'node20',
      sourcemap: 'inline',
      logLevel: 'silent',
      ...(format === 'module' && usesCommonJs(text) ? { banner: { js: commonJsInModule } } : {}),
    })
    return { format, source: outputFiles[0]!.text }
  } catch (error) {
    const [failure] = (error as BuildFailure).errors ?? []
    throw failure ? syntaxError(failure, file) : error
  }
}

/** Where a tsconfig's `paths` or `baseUrl` leads, or undefined. */
export async function aliasedPath(specifier: string, folder: string): Promise<string | undefined> {
  let found: string | undefined
  await build({
    stdin: { contents: `import ${JSON.stringify(specifier)}`, resolveDir: folder },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
    plugins: [
      {
        name: 'found',
        setup(builder) {
          builder.onLoad({ filter: /.*/, namespace: 'file' }, ({ path }) => {
            found = path
            return { contents: '' }
          })
        },
      },
    ],
  }).catch(() => {
    // Not resolved: Node's own error is the one to show.
  })
  return found
}

// Without "type": "module", TypeScript files may use both, as tsc and its followers compile them.
const commonJsInModule =
  "import { createRequire as __require } from 'node:module'; import { fileURLToPath as __path } from 'node:url'; const require = __require(import.meta.url), __filename = __path(import.meta.url), __dirname = __path(new URL('.', import.meta.url)).slice(0, -1);"

const usesCommonJs = (text: string): boolean =>
  /\b(require\s*\(|require\.|__dirname|__filename)/.test(text) &&
  !/\b(const|let|var|function)\s+(\{[^}]*\}|require|__dirname|__filename)\s*=?.*createRequire|\b(const|let|var)\s+(require|__dirname|__filename)\b/.test(
    text,
  )

const isCommonJs = (text: string): boolean =>
  /\b(module\.exports|exports\.\w+)\s*=|\brequire\s*\(/.test(text) &&
  !/^\s*(import|export)\b[\s{*'"]|\bimport\.meta\b|^\s*await\b/m.test(text)

/** As Node prints one: the place, the line, a caret. */
function syntaxError({ text, location }: Message, file: string): SyntaxError {
  const error = new SyntaxError(text)
  if (location) {
    const path = join(dirname(file), location.file.slice(location.file.lastIndexOf('/') + 1))
    error.stack = `${path}:${location.line}:${location.column + 1}\n${location.lineText}\n${' '.repeat(location.column)}^\n\nSyntaxError: ${text}`
  }
  return error
}
