import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeFolder } from '../remove-folder.ts'
import { pack, root, unpack } from './packed.ts'

let tarball = ''
let folder = ''
let files: string[] = []
const read = (file: string) => readFileSync(join(folder, file), 'utf8')

beforeAll(async () => {
  tarball = await pack()
  folder = mkdtempSync(join(tmpdir(), 'farcall-tarball-'))
  await unpack(tarball, folder)
  files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    statSync(join(folder, file)).isFile(),
  )
})
afterAll(() => removeFolder(folder))

describe('the tarball', () => {
  it('holds what users need, and nothing else', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'package.json',
        'dist/index.js',
        'dist/index.d.ts',
        'dist/testing/index.js',
        'dist/cli/main.js',
        'dist/runtime/farcall-runtime.cjs',
        ...readdirSync(join(root, 'templates'), { recursive: true }).flatMap((name) =>
          String(name).endsWith('.liquid') ? [`templates/${name}`] : [],
        ),
        ...readdirSync(join(root, 'docs/errors')).map((name) => `docs/errors/${name}`),
      ]),
    )
    const wanted =
      /^(LICENSE|README\.md|package\.json|templates\/(parts\/)?[\w.-]+\.liquid|docs\/.*\.md|dist\/runtime\/farcall-runtime\.cjs|dist\/farcall\.schema\.json)$/
    const fromSource = (file: string) =>
      /^dist\/.*\.(js|js\.map|d\.ts)$/.test(file) &&
      existsSync(join(root, file.replace(/^dist/, 'src').replace(/\.(js|js\.map|d\.ts)$/, '.ts')))
    expect(files.filter((file) => !wanted.test(file) && !fromSource(file))).toEqual([])
  })

  it('names no folder of the machine that made it', () => {
    const places = [root, tmpdir() + '/farcall', homedir()].filter((place) => place.length > 2)
    const named = files.filter((file) => places.some((place) => read(file).includes(place)))
    expect(named).toEqual([])
  })

  it('has source maps that carry the source which they name, by its place in the repository', () => {
    const maps = files.filter((file) => file.endsWith('.js.map'))
    expect(maps.length).toBeGreaterThan(50)
    for (const file of maps) {
      const { sources, sourcesContent, sourceRoot } = JSON.parse(read(file))
      const [source] = sources as [string]
      const path = relative(folder, join(folder, dirname(file), source))
      expect(path).toBe(file.replace(/^dist/, 'src').replace('.js.map', '.ts'))
      expect([sources.length, sourcesContent.length, sourceRoot || '']).toEqual([1, 1, ''])
      expect(sourcesContent[0]).toBe(readFileSync(join(root, path), 'utf8'))
    }
  })

  it('declares what its code imports, and nothing that it does not', () => {
    const { dependencies } = JSON.parse(read('package.json'))
    const code = files.filter((file) => /\.(js|d\.ts)$/.test(file)).map(read)
    const used = (name: string) => code.some((text) => new RegExp(`['"]${name}(/[^'"]*)?['"]`).test(text))
    expect(Object.keys(dependencies).filter((name) => !used(name))).toEqual([])
  })

  it('passes publint', async () => {
    const { messages, pkg } = await publint({ pkgDir: folder, pack: false, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg!))).toEqual([])
  })

  it('gives types to every way of importing an ES module', async () => {
    const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarball))))
    if (!analysis.types) throw new Error('no types')
    // Old resolution knows no exports, and CommonJS gets an ES module, which Node can load from 20.19 on.
    const accepted = ['node10', 'node16-cjs']
    const problems = analysis.problems.filter(
      (problem) => !('resolutionKind' in problem && accepted.includes(problem.resolutionKind)),
    )
    expect(problems).toEqual([])
  })
})

it('package-lock.json names no registry', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  expect(Object.keys(packages).filter((name) => packages[name].resolved !== undefined)).toEqual([])
})
