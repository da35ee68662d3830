import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { build } from 'esbuild'

/** A plugin of Vite, as far as this one goes; vite itself is not needed for its type. */
export interface VitePlugin {
  readonly name: string
  readonly enforce: 'pre'
  transform(code: string, id: string): Promise<{ code: string; map: string } | undefined>
}

const scripts = /\.([cm]?[jt]s|[jt]sx)$/
const decorators = /(?:^|[;}]|\{\s)\s*@[\w(]/m
/** Imports that mean the file's text or address, not its code. */
const otherUse = /[?&](raw|url|inline|worker|sharedworker)\b/

/**
 * Makes decorators work in Vite and vitest, whose own compiler leaves those of the standard as they are. Needed
 * for them only: `cluster(options, fn)` works without, and so do those of `experimentalDecorators`.
 * The dialect is the one that the tsconfig.json nearest to the file says.
 *
 * @example
 * // vitest.config.ts
 * import { farcall } from 'farcall/vite'
 * import { defineConfig } from 'vitest/config'
 *
 * export default defineConfig({ plugins: [farcall()] })
 */
export function farcall(): VitePlugin {
  return {
    name: 'farcall:decorators',
    // Before Vite's own compiler, which would take the types and keep the decorators.
    enforce: 'pre',
    async transform(code, id) {
      const file = id.replace(/[?#].*$/, '')
      const kind = scripts.exec(file)?.[1]
      if (!kind || file.includes('/node_modules/') || otherUse.test(id) || !decorators.test(code))
        return undefined
      // What another plugin made up has no folder, and so no tsconfig.json.
      if (!existsSync(file)) return undefined
      const { outputFiles } = await build({
        entryPoints: [file],
        absWorkingDir: dirname(file),
        outdir: dirname(file),
        write: false,
        platform: 'node',
        target: 'node20',
        jsx: 'preserve',
        sourcemap: 'external',
        logLevel: 'silent',
        plugins: [
          {
            // An entry point, so that its tsconfig.json is found; the text is what earlier plugins made of it.
            name: 'text',
            setup(builder) {
              builder.onLoad({ filter: /.*/ }, () => ({ contents: code, loader: loaderOf(kind) }))
            },
          },
        ],
      })
      const [map, script] = outputFiles.sort(
        (a, b) => Number(a.path.endsWith('.js')) - Number(b.path.endsWith('.js')),
      )
      return { code: script!.text, map: map!.text }
    },
  }
}

function loaderOf(kind: string): 'ts' | 'tsx' | 'js' | 'jsx' {
  if (kind.endsWith('x')) return kind as 'tsx' | 'jsx'
  return kind.endsWith('ts') ? 'ts' : 'js'
}
