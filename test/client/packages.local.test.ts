import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { close, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { root } from './helpers.ts'

/** A user's project, with a package that has a compiled part, and one that reads a file of its own. */
const project = mkdtempSync(join(tmpdir(), 'farcall-packages-'))
const modules = join(project, 'node_modules')
const workdir = join(project, 'workdir')

function install(name: string, files: Record<string, string>, manifest: object = {}): void {
  const at = join(modules, name)
  mkdirSync(at, { recursive: true })
  const all = { name, version: '1.0.0', type: 'module', main: 'index.js', ...manifest }
  writeFileSync(join(at, 'package.json'), JSON.stringify(all))
  for (const [file, text] of Object.entries(files)) writeFileSync(join(at, file), text)
}

writeFileSync(join(project, 'package.json'), '{"name":"study","type":"module"}')
install(
  'words',
  {
    'index.js': `import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { up } from 'helper'
export const word = (n) => up(readFileSync(new URL('words.txt', import.meta.url), 'utf8').split('\\n')[n])`,
    'words.txt': 'alpha\nbeta\ngamma',
  },
  { dependencies: { helper: '1' } },
)
install('helper', { 'index.js': 'export const up = (text) => text.toUpperCase()' })
install(
  'old/node_modules/words',
  { 'index.js': "import.meta.url; export const word = () => 'old'" },
  { name: 'words', version: '0.1.0' },
)
install('old', { 'index.js': "export { word as oldWord } from 'words'" })
for (const name of ['libsql', '@libsql', '@neon-rs', 'detect-libc'])
  cpSync(join(root, 'node_modules', name), join(modules, name), { recursive: true })
symlinkSync(root, join(modules, 'farcall'))
writeFileSync(join(project, 'table.csv'), '1,2\n3,4\n')
writeFileSync(
  join(project, 'worker.ts'),
  `import { parentPort, workerData } from 'node:worker_threads'
import { word } from 'words'
parentPort!.postMessage(word(workerData as number))`,
)
writeFileSync(
  join(project, 'study.ts'),
  `import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { oldWord } from 'old'
import { word } from 'words'
export async function study(n: number) {
  const { default: Database } = await import('libsql')
  const { x } = new Database(':memory:').prepare('select ? + 1 as x').get(n) as { x: number }
  const rows = readFileSync(new URL('./table.csv', import.meta.url), 'utf8').trim().split('\\n').length
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: n })
  const said = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return { x, rows, said, word: word(n), old: oldWord(), from: import.meta.url && process.env['TMPDIR'] }
}
export const words = (n: number) => word(n)`,
)

let node = ''
let count = 0

beforeEach(() => {
  node = join(project, `node-${count++}`)
  mkdirSync(node)
  const environment = { variables: { TMPDIR: node } }
  configure({ profiles: { local: { scheduler: 'direct', workdir, environment } } })
})
afterAll(async () => {
  await close()
  removeFolder(project)
})

const { cluster } = await import('../../src/index.ts')
const { study, words } = (await import(join(project, 'study.ts'))) as {
  study: (n: number) => Promise<object>
  words: (n: number) => string
}
const remoteStudy = cluster({ profile: 'local' }, study)
const remoteWords = cluster({ profile: 'local' }, words)

/** What the jobs left on the disk of the node. */
const own = () => join(node, `farcall-${process.getuid!()}`)
const unpacked = () => readdirSync(own()).map((name) => join(own(), name))

describe('packages that cannot be bundled', () => {
  it('travel with all that they need, beside a worker and a file', async () => {
    expect(await remoteStudy(1)).toEqual({
      x: 2,
      rows: 2,
      said: 'BETA',
      word: 'BETA',
      old: 'old',
      from: node,
    })
    const [folder] = unpacked()
    expect(statSync(own()).mode & 0o777).toBe(0o700)
    // the worker's files go with its process, which ends after its result is here
    await expect.poll(() => readdirSync(node), { timeout: 20_000 }).toEqual([`farcall-${process.getuid!()}`])
    expect(readdirSync(join(folder!, 'node_modules'))).toEqual(
      expect.arrayContaining(['@farcall', 'libsql', 'words']),
    )
  })

  it('are unpacked once for all tasks of a node, and for later jobs', async () => {
    expect(await remoteWords.map([0, 1, 2, 0, 1, 2, 0, 1], { chunk: 1 })).toEqual([
      'ALPHA',
      'BETA',
      'GAMMA',
      'ALPHA',
      'BETA',
      'GAMMA',
      'ALPHA',
      'BETA',
    ])
    expect(unpacked()).toHaveLength(1)
    const { ino } = statSync(unpacked()[0]!)
    expect(await remoteWords(2)).toBe('GAMMA')
    expect(unpacked().map((path) => statSync(path).ino)).toEqual([ino])
  })

  it('are unpacked in place of one who was killed at it', async () => {
    await remoteWords(0)
    const [folder] = unpacked()
    removeFolder(folder!)
    // of a process that is gone, and of one whose number another process has now
    for (const holder of [`999999999 1 ${hostname()}`, `${process.pid} 1 ${hostname()}`]) {
      writeFileSync(`${folder}.lock`, holder)
      mkdirSync(`${folder}.${holder.replaceAll(' ', '.')}`)
      expect(await remoteWords(1)).toBe('BETA')
      expect(existsSync(`${folder}.lock`)).toBe(false)
      removeFolder(folder!)
    }
  })

  it('are unpacked anew when a cleaner of /tmp has taken a file', async () => {
    await remoteWords(0)
    const [folder] = unpacked()
    rmSync(join(folder!, 'node_modules/words/words.txt'))
    const yesterday = Date.now() / 1000 - 25 * 3600
    utimesSync(join(folder!, '.farcall-whole'), yesterday, yesterday)
    expect(await remoteWords(1)).toBe('BETA')
  })

  it('are sent again when they are gone there, and a damaged archive is told', async () => {
    expect(await remoteWords(0)).toBe('ALPHA')
    const [folder] = unpacked()
    const archive = join(workdir, 'blobs', `${folder!.slice(-64)}.tgz`)
    const whole = readFileSync(archive)
    removeFolder(folder!)
    rmSync(archive)
    expect(await remoteWords(1)).toBe('BETA')
    removeFolder(folder!)
    writeFileSync(archive, Buffer.concat([whole.subarray(0, -1), Buffer.of(whole.at(-1)! ^ 1)]))
    await expect(remoteWords(2)).rejects.toThrow(/packages .*\.tgz cannot be unpacked on .*: /)
    expect(readdirSync(own())).toEqual([])
    rmSync(archive)
    expect(await remoteWords(2)).toBe('GAMMA')
  })

  it('a change in what is installed here is seen by the next call', async () => {
    expect(await remoteWords(0)).toBe('ALPHA')
    appendFileSync(join(modules, 'words/words.txt'), '\ndelta')
    // an installation writes the manifest anew
    appendFileSync(join(modules, 'words/package.json'), '\n')
    expect(await remoteWords(3)).toBe('DELTA')
    expect(unpacked()).toHaveLength(2)
  })

  it('one folder in /tmp that somebody else has made is not used', async () => {
    mkdirSync(own(), { mode: 0o777 })
    chmodSync(own(), 0o777)
    expect(await remoteWords(1)).toBe('BETA')
    expect(readdirSync(own())).toEqual([])
    await expect.poll(() => readdirSync(node), { timeout: 20_000 }).toEqual([`farcall-${process.getuid!()}`])
  })
})
