import { mkdirSync, writeFileSync } from 'node:fs'
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

async function capture(name: string, options = {}) {
  const file = join(root, `${name.replace('/', '-')}.mjs`)
  writeFileSync(file, `import { work } from '${name}'\nexport const run = (x) => work(x)\n`)
  const { run } = await import(pathToFileURL(file).href)
  return snapshot(run, `Error\n    at ${file}:2:20`, options).bundle()
}

describe('packages that cannot be bundled', () => {
  it.each([
    ['gyp', /compiled with node-gyp/],
    ['platforms', /a part for each platform, such as @platforms\/linux-x64/],
    ['@scope/prebuilt', /loads native add-ons with node-gyp-build/],
    ['reader', /reads files of its own folder \(index\.js\)/],
  ])('%s is refused by name, with a way out', async (name, why) => {
    const refused = capture(name)
    await expect(refused).rejects.toMatchObject({ code: 'CAPTURE_EXTERNAL' })
    await expect(refused).rejects.toThrow(why)
    await expect(refused).rejects.toThrow('hint: do without it inside the function')
  })

  it('a package is taken when only a part that is not used reads its folder', async () => {
    expect((await capture('half')).code.length).toBeGreaterThan(0)
  })

  it('what the cluster has installed stays an import', async () => {
    const { code } = await capture('gyp', { external: ['gyp'] })
    expect(Buffer.from(code).toString()).toMatch(/from "gyp"/)
  })
})
