import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping'
import type { Plugin } from 'vite'
import { afterAll, describe, expect, expectTypeOf, it } from 'vitest'
import { farcall } from '../../src/vite/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-vite-'))
afterAll(() => removeFolder(folder))

const study = `import { mark } from './mark'
import type { Gone } from './gone'

export class Study {
  #n: number = 1
  @mark({ cores: 8 })
  static async simulate(seed: number): Promise<number> {
    throw new Error(String(seed))
  }
}
`

const plugin = farcall()
const transform = (code: string, id: string) => plugin.transform(code, id)

function project(name: string, compilerOptions: object): string {
  const at = join(folder, name)
  mkdirSync(at)
  writeFileSync(join(at, 'package.json'), '{"type":"module"}')
  writeFileSync(join(at, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  for (const file of ['study.ts', 'view.tsx']) writeFileSync(join(at, file), study)
  return at
}

describe('farcall/vite', () => {
  it('is a plugin of Vite', () => {
    expectTypeOf(plugin).toExtend<Plugin>()
    expect(plugin.enforce).toBe('pre')
  })

  it('takes decorators and types away, and maps what is left to the very character', async () => {
    const file = join(project('standard', {}), 'study.ts')
    const { code, map } = (await transform(study, file))!
    expect(code).not.toMatch(/^\s*@|: number|import type/m)
    expect(code).toMatch(/__decorateElement/)
    const lines = code.split('\n')
    const line = lines.findIndex((text) => text.includes('new Error'))
    const column = lines[line]!.indexOf('new Error')
    expect(originalPositionFor(new TraceMap(map, file), { line: line + 1, column })).toMatchObject({
      source: file,
      line: 8,
      column: '    throw '.length,
    })
  })

  it('follows the dialect of the nearest tsconfig.json, for what other plugins made of the file, too', async () => {
    const file = join(project('legacy', { experimentalDecorators: true }), 'study.ts')
    const { code } = (await transform(`${study}\nexport const added = 1\n`, `${file}?v=1`))!
    expect(code).toMatch(/__decorateClass\(\[/)
    expect(code).toMatch(/added = 1/)
  })

  it('keeps JSX for Vite', async () => {
    const file = join(project('jsx', {}), 'view.tsx')
    const { code } = (await transform(`${study}\nexport const view = (n: number) => <b>{n}</b>\n`, file))!
    expect(code).toContain('<b>{n}</b>')
    expect(code).not.toMatch(/^\s*@/m)
  })

  it.each([
    ['a file without decorators', 'a.ts', 'export const a = 1 // me@b.c\n/**\n * @param a\n */'],
    ['a package', 'node_modules/q/a.js', study],
    ['a style sheet', 'a.css', '@media print {}'],
    ['the text of a file', 'a.ts?raw', study],
  ])('leaves %s alone', async (_, id, code) => {
    const file = join(folder, 'alone', id)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file.replace('?raw', ''), code)
    expect(await transform(code, file)).toBeUndefined()
  })

  it('leaves what is no file alone', async () => {
    expect(await transform(study, join(folder, 'virtual.ts'))).toBeUndefined()
  })

  it('names the place of a syntax error', async () => {
    const file = join(project('broken', {}), 'study.ts')
    await expect(transform(`${study}\nconst =`, file)).rejects.toThrow(/study\.ts:12:6/)
  })
})
