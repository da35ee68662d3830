import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { snapshot } from '../../src/capture/snapshot.ts'
import { folder } from './run.ts'

const root = join(folder, 'packages')

function install(name: string, manifest: object, files: Record<string, string>): void {
  const at = join(root, 'node_modules', name)
  mkdirSync(at, { recursive: true })
  writeFileSync(
    join(at, 'package.json'),
    JSON.stringify({ name, version: '1.0.0', type: 'module', main: 'index.js', ...manifest }),
  )
  for (const [file, text] of Object.entries(files)) writeFileSync(join(at, file), text)
}

const work = 'export const work = (x) => x + 1\n'
install('gyp', {}, { 'index.js': work, 'binding.gyp': '{}' })
install('platforms', { optionalDependencies: { '@platforms/linux-x64': '1.0.0' } }, { 'index.js': work })
install('@scope/prebuilt', { dependencies: { 'node-gyp-build': '4' } }, { 'index.js': work })
install(
  'reader',
  {},
  {
    'index.js':
      "import { readFileSync } from 'node:fs'\nexport const work = () => readFileSync(new URL('data.txt', import.meta.url), 'utf8')\n",
  },
)
install(
  'half',
  {},
  {
    'index.js': "export const work = (x) => x + 1\nexport { asset } from './asset.js'\n",
    'asset.js': "export const asset = () => new URL('data.txt', import.meta.url)\n",
  },
)

install('linked', {}, { 'index.js': 'export const work = (x) => x + 1\n' })
install('ships', { scripts: { install: 'node fetch.js' } }, { 'index.js': work })
install('inner', { version: '1.0.0', dependencies: { bindings: '1' } }, { 'index.js': work })
install('user', {}, { 'index.js': "export { work } from 'inner'\n" })
install(
  'user/node_modules/inner',
  { name: 'inner', version: '0.9.0', dependencies: { bindings: '1' } },
  { 'index.js': work },
)
writeFileSync(join(root, 'package.json'), '{"name":"project"}')

async function capture(name: string, choices = {}) {
  const file = join(root, `${name.replace('/', '-')}.mjs`)
  writeFileSync(file, `import { work } from '${name}'\nexport const run = (x) => work(x)\n`)
  const { run } = await import(pathToFileURL(file).href)
  const shot = snapshot(run, `Error\n    at ${file}:2:20`)
  return shot.bundle(20, { install: [], bundle: [], ...choices })
}

const importsOf = ({ code }: { code: Uint8Array }) =>
  [
    ...Buffer.from(code)
      .toString()
      .matchAll(/ from "([^"]+)"/g),
  ].map(([, name]) => name)

describe('packages that cannot be bundled', () => {
  it.each([
    ['gyp', /compiled with node-gyp/],
    ['platforms', /a part for each platform, such as @platforms\/linux-x64/],
    ['@scope/prebuilt', /loads native add-ons with node-gyp-build/],
    ['reader', /reads files of its own folder \(index\.js\)/],
    ['ships', /has an install script/],
  ])('%s stays an import, and it is said why', async (name, why) => {
    const bundle = await capture(name)
    expect(importsOf(bundle)).toContain(name)
    expect(bundle.packages).toEqual([
      {
        alias: name,
        name,
        version: '1.0.0',
        folder: join(root, 'node_modules', name),
        why: expect.stringMatching(why),
      },
    ])
  })

  it('a package is taken when only a part that is not used reads its folder', async () => {
    expect((await capture('half')).packages).toEqual([])
  })

  it('a version that only another package has gets a name of its own', async () => {
    const bundle = await capture('user')
    const [inner] = bundle.packages
    expect(inner).toMatchObject({ alias: '@farcall/inner-0.9.0', version: '0.9.0' })
    expect(inner!.folder).toBe(join(root, 'node_modules/user/node_modules/inner'))
    expect(importsOf(bundle)).toContain('@farcall/inner-0.9.0')
  })

  it('the settings have the last word on what is bundled', async () => {
    expect((await capture('linked', { install: ['linked'] })).packages).toMatchObject([
      { name: 'linked', why: 'the settings say so' },
    ])
    expect((await capture('gyp', { bundle: ['gyp'] })).packages).toEqual([])
    expect((await capture('reader', { bundle: ['reader'] })).packages).toEqual([])
  })

  it('a bundle of the cache says the same', async () => {
    const cacheDir = join(root, 'cache')
    const file = join(root, 'reader.mjs')
    const { run } = await import(pathToFileURL(file).href)
    const take = () => snapshot(run, `Error\n    at ${file}:2:20`, { cacheDir }).bundle(22)
    const first = await take()
    expect(keptPackages(cacheDir)).toEqual([first.packages])
    expect((await take()).packages).toEqual(first.packages)
  })

  it('an add-on that belongs to no package is refused, with a way out', async () => {
    writeFileSync(join(root, 'own.node'), '')
    const file = join(root, 'own.mjs')
    writeFileSync(file, "export const run = () => import('./own.node')\n")
    const { run } = await import(pathToFileURL(file).href)
    const shot = snapshot(run, `Error\n    at ${file}:1:20`).bundle()
    await expect(shot).rejects.toThrow(/own\.node cannot be bundled: it is a native add-on/)
  })
})

function keptPackages(cacheDir: string): unknown[] {
  const folder = join(cacheDir, 'bundles')
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')).packages)
}
