import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, statSync, symlinkSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FileError } from '../../src/core/errors.ts'
import { nameToBytes } from '../../src/files/names.ts'
import type { FileSystem } from '../../src/files/types.ts'
import { removeFolder } from '../remove-folder.ts'

/** What whoever runs the suite gives: the files, and who may not read everything (root may). */
export interface FilesUnderTest {
  readonly fs: FileSystem
  readonly root: boolean
}

export const hostileNames = [
  ' ',
  "it's",
  '"',
  '$(touch pwned)',
  '`id`',
  '$HOME',
  'a\nb',
  'ends\n',
  '\n',
  '\\n',
  '\\',
  '*',
  '[a]',
  '-n',
  '-rf',
  '--',
  '; exit 7',
  '| cat',
  '&',
  '!',
  '(',
  'ünï 日本 🎉',
  '\t',
  '\x01\x1b[31m',
  '#',
  '~',
  'A=B',
  "'; echo gone; '",
  'latin\udce9',
  '\udcff\udcfe',
  '%s%b\\0101',
]

const anyName = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom(...'\n\t \'"\\$*?[]-~;&|<>(){}!#.%0aé\udce9\udcff'),
      fc.string({ minLength: 1, maxLength: 1 }),
    ),
    minLength: 1,
    maxLength: 30,
  })
  .map((name) => name.replace(/[/\0]/g, '_'))
  // what no file system has: half a pair that is no odd byte; bytes that together are a character
  .filter((name) => name !== '.' && name !== '..' && isName(name))

function isName(name: string): boolean {
  return (
    !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udc7f\udd00-\udfff]/.test(name) &&
    !/[\udc80-\udcff]{2}/.test(name) &&
    nameToBytes(name).length < 200
  )
}

const codeOf = (work: PromiseLike<unknown>) =>
  Promise.resolve(work).then(
    () => 'none',
    (error: unknown) => (error instanceof FileError ? error.code : String(error)),
  )

/** What every FileSystem does, wherever its files are. They must be on this machine, for the suite looks at them. */
export function filesSuite(name: string, open: () => Promise<FilesUnderTest>): void {
  describe(`files ${name}`, () => {
    let fs: FileSystem
    let root: boolean
    let base: string
    let folder: string
    let count = 0
    const at = (path: string) => `${folder}/${path}`
    const namesOf = (found: readonly { name: string }[]) => found.map((one) => one.name)

    beforeAll(async () => {
      base = mkdtempSync(join(tmpdir(), 'farcall-files-'))
      chmodSync(base, 0o777)
      ;({ fs, root } = await open())
    })
    afterAll(() => removeFolder(base))
    beforeEach(() => {
      folder = join(base, `t${count++}`)
      mkdirSync(folder)
      chmodSync(folder, 0o777)
    })

    test('a file is written, read, told of and removed', async () => {
      await fs.write(at('a/b/notes.txt'), 'héllo\n')
      expect(readFileSync(at('a/b/notes.txt'), 'utf8')).toBe('héllo\n')
      expect(await fs.read(at('a/b/notes.txt'), 'utf8')).toBe('héllo\n')
      expect(Buffer.from(await fs.read(at('a/b/notes.txt')))).toEqual(Buffer.from('héllo\n'))
      expect(Buffer.from(await fs.read(at('a/b/notes.txt'), { from: 1, length: 2 })).toString()).toBe('é')
      const info = await fs.stat(at('a/b/notes.txt'))
      const real = statSync(at('a/b/notes.txt'))
      expect(info).toMatchObject({
        path: at('a/b/notes.txt'),
        name: 'notes.txt',
        type: 'file',
        size: 7,
        mode: 0o644,
      })
      expect([info.uid, Math.floor(info.modified.getTime() / 1000)]).toEqual([
        real.uid,
        Math.floor(real.mtimeMs / 1000),
      ])
      expect(await fs.exists(at('a/b/notes.txt'))).toBe(true)
      expect(await fs.isfile(at('a/b/notes.txt'))).toBe(true)
      expect(await fs.isdir(at('a/b/notes.txt'))).toBe(false)
      expect(await fs.isdir(at('a/b'))).toBe(true)
      await fs.remove(at('a/b/notes.txt'))
      expect(await fs.exists(at('a/b/notes.txt'))).toBe(false)
    })

    test('a mode is kept, what was there is replaced as a whole', async () => {
      await fs.write(at('run.sh'), 'old old old')
      await fs.write(at('run.sh'), 'new', { mode: 0o750 })
      expect([readFileSync(at('run.sh'), 'utf8'), statSync(at('run.sh')).mode & 0o777]).toEqual([
        'new',
        0o750,
      ])
      expect(namesOf(await fs.ls(folder))).toEqual(['run.sh'])
    })

    test('streams are written and read in pieces', async () => {
      const piece = Buffer.alloc(300_000, 'farcall ')
      await fs.write(
        at('big'),
        (async function* () {
          for (let i = 0; i < 20; i++) yield piece
          yield 'end'
        })(),
      )
      let size = 0
      let pieces = 0
      let last = ''
      for await (const chunk of fs.stream(at('big'))) {
        size += chunk.length
        pieces++
        last = Buffer.from(chunk).toString('latin1').slice(-3)
      }
      expect([size, last]).toEqual([6_000_003, 'end'])
      expect(pieces).toBeGreaterThan(2)
      const part: Uint8Array[] = []
      for await (const chunk of fs.stream(at('big'), { from: 5_999_998, length: 3 })) part.push(chunk)
      expect(Buffer.concat(part).toString()).toBe('l e')
      // whoever stops early stops the reading
      for await (const _ of fs.stream(at('big'))) break
      expect(await fs.exists(at('big'))).toBe(true)
    })

    test('a stream that fails leaves the old file, and nothing beside it', async () => {
      await fs.write(at('kept'), 'old')
      const failing = fs.write(
        at('kept'),
        (async function* () {
          yield 'new'
          throw new Error('the source is gone')
        })(),
      )
      await expect(failing).rejects.toThrow('the source is gone')
      expect(readFileSync(at('kept'), 'utf8')).toBe('old')
      expect(namesOf(await fs.ls(folder))).toEqual(['kept'])
    })

    test('every name is an ordinary one', async () => {
      for (const name of hostileNames) await fs.write(at(name), name.slice(0, 1))
      expect(namesOf(await fs.ls(folder))).toEqual([...hostileNames].sort())
      expect(namesOf(await fs.find(folder, { type: 'file' }))).toEqual([...hostileNames].sort())
      for (const name of hostileNames) {
        expect(await fs.read(at(name), 'utf8')).toBe(Buffer.from(name.slice(0, 1)).toString())
        expect((await fs.stat(at(name))).name).toBe(name)
        await fs.rename(at(name), at(`d${name}/${name}`))
        expect(await fs.isfile(at(`d${name}/${name}`))).toBe(true)
        await fs.remove(at(`d${name}`), { recursive: true })
      }
      expect(await fs.ls(folder)).toEqual([])
    })

    test('so is any other', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(anyName, { minLength: 1, maxLength: 4 }), async (names) => {
          const here = at(`fuzz${count++}`)
          for (const name of names) await fs.write(`${here}/${name}`, 'x')
          expect(namesOf(await fs.ls(here))).toEqual([...names].sort())
          for (const name of names) expect(await fs.isfile(`${here}/${name}`)).toBe(true)
          await fs.remove(here, { recursive: true })
          expect(await fs.exists(here)).toBe(false)
        }),
        { numRuns: 12 },
      )
    })

    test('find gives what fits, however deep, and links as such', async () => {
      for (const path of ['a.csv', 'b.txt', 'x/c.csv', 'x/y/d.csv', 'x/.hidden.csv'])
        await fs.write(at(path), path)
      symlinkSync('..', at('x/up'))
      utimesSync(at('b.txt'), new Date(1e12), new Date(1e12))
      const found = async (options: Parameters<FileSystem['find']>[1]) =>
        (await fs.find(folder, options)).map(({ path }) => path.slice(folder.length + 1))
      expect(await found({})).toEqual([
        'a.csv',
        'b.txt',
        'x',
        'x/.hidden.csv',
        'x/c.csv',
        'x/up',
        'x/y',
        'x/y/d.csv',
      ])
      expect(await found({ name: '*.csv' })).toEqual(['a.csv', 'x/.hidden.csv', 'x/c.csv', 'x/y/d.csv'])
      expect(await found({ name: ['[ab].*', 'y'] })).toEqual(['a.csv', 'b.txt', 'x/y'])
      expect(await found({ name: '{c,d}.csv' })).toEqual(['x/c.csv', 'x/y/d.csv'])
      expect(await found({ type: 'folder' })).toEqual(['x', 'x/y'])
      expect(await found({ type: 'link' })).toEqual(['x/up'])
      expect(await found({ depth: 1 })).toEqual(['a.csv', 'b.txt', 'x'])
      expect(await found({ depth: 2, name: '*.csv' })).toEqual(['a.csv', 'x/.hidden.csv', 'x/c.csv'])
      expect(await found({ minSize: 8, type: 'file' })).toEqual(
        ['x/.hidden.csv', 'x/y/d.csv'].filter((path) => path.length >= 8),
      )
      expect(await found({ modifiedBefore: new Date(1e12 + 1000), type: 'file' })).toEqual(['b.txt'])
      const first: string[] = []
      for await (const { name } of fs.find(folder)) {
        first.push(name)
        break
      }
      expect(first.length).toBe(1)
    })

    test('find goes on below a folder that may not be read, and then says so', async () => {
      await fs.write(at('open/a'), '')
      await fs.write(at('shut/b'), '')
      if (root) return
      chmodSync(at('shut'), 0)
      const seen: string[] = []
      const all = async () => {
        for await (const { name } of fs.find(folder)) seen.push(name)
      }
      expect(await codeOf(all())).toBe('FILE_DENIED')
      expect(seen.sort()).toEqual(['a', 'open', 'shut'])
      expect(namesOf(await fs.find(folder, { skipDenied: true }))).toEqual(['open', 'a', 'shut'])
      expect(await codeOf(fs.ls(at('shut')))).toBe('FILE_DENIED')
      expect(await codeOf(fs.read(at('shut/b')))).toBe('FILE_DENIED')
      chmodSync(at('shut'), 0o755)
    })

    test('glob gives paths as a shell would', async () => {
      for (const path of [
        'a1.csv',
        'a2.csv',
        'b.txt',
        'x/a3.csv',
        'x/y/a4.csv',
        '.h/a5.csv',
        'x/.a6.csv',
        'o dd/[z].csv',
      ])
        await fs.write(at(path), '')
      const globbed = async (pattern: string | string[]) =>
        (await fs.glob([pattern].flat().map(at))).map((path) => path.slice(folder.length + 1))
      expect(await globbed('*.csv')).toEqual(['a1.csv', 'a2.csv'])
      expect(await globbed('a[!2].csv')).toEqual(['a1.csv'])
      expect(await globbed('a[^2].csv')).toEqual(['a1.csv'])
      expect(await globbed('*/*.csv')).toEqual(['o dd/[z].csv', 'x/a3.csv'])
      expect(await globbed('**/*.csv')).toEqual([
        'a1.csv',
        'a2.csv',
        'o dd/[z].csv',
        'x/a3.csv',
        'x/y/a4.csv',
      ])
      expect(await globbed('x/**')).toEqual(['x/a3.csv', 'x/y', 'x/y/a4.csv'])
      expect(await globbed('.h/*')).toEqual(['.h/a5.csv'])
      expect(await globbed('{b.txt,x/.*.csv}')).toEqual(['b.txt', 'x/.a6.csv'])
      expect(await globbed('o dd/\\[z].csv')).toEqual(['o dd/[z].csv'])
      expect(await globbed(['b.*', 'a1.csv', 'b.txt'])).toEqual(['a1.csv', 'b.txt'])
      expect(await globbed('*/')).toEqual((await globbed('*/')).filter((path) => /^(o dd|x)\/?$/.test(path)))
      expect(await globbed(['none*', 'missing.csv', 'no/where/*', '$(echo a1.csv)'])).toEqual([])
    })

    test('du adds up sizes, and a file with two names once', async () => {
      await fs.write(at('one'), 'x'.repeat(5000))
      await fs.write(at('sub/two'), 'x'.repeat(70))
      execFileSync('ln', [at('one'), at('sub/again')])
      symlinkSync('one', at('link'))
      const usage = await fs.du(folder)
      expect(usage).toMatchObject({ bytes: 5070, files: 2, folders: 1 })
      expect(usage.allocated).toBeGreaterThanOrEqual(5000)
      expect(await fs.du(at('one'))).toMatchObject({ bytes: 5000, files: 1, folders: 0 })
      expect(await fs.countFiles(folder)).toBe(3)
      expect(await fs.countFiles(folder, { name: 't*' })).toBe(1)
      expect(await fs.countFiles(folder, { depth: 1 })).toBe(1)
      await fs.write(at('a\nb'), '')
      expect(await fs.countFiles(folder)).toBe(4)
    })

    test('errors have a code and the path', async () => {
      await fs.write(at('file'), '')
      await fs.write(at('full/file'), '')
      for (const work of [
        () => fs.read(at('none')),
        () => fs.stat(at('none')),
        () => fs.ls(at('none')),
        () => fs.find(at('none')),
        () => fs.du(at('none')),
        () => fs.countFiles(at('none')),
        () => fs.remove(at('none')),
        () => fs.rename(at('none'), at('other')),
      ])
        expect(await codeOf(work())).toBe('FILE_MISSING')
      expect(await codeOf(fs.stream(at('none'))[Symbol.asyncIterator]().next())).toBe('FILE_MISSING')
      expect(await codeOf(fs.ls(at('file')))).toBe('FILE_WRONG_TYPE')
      expect(await codeOf(fs.read(at('full')))).toBe('FILE_WRONG_TYPE')
      expect(await codeOf(fs.write(at('full'), ''))).toBe('FILE_WRONG_TYPE')
      expect(await codeOf(fs.mkdir(at('file')))).toBe('FILE_EXISTS')
      expect(await codeOf(fs.remove(at('full')))).toBe('FOLDER_NOT_EMPTY')
      expect(await codeOf(fs.rename(at('file'), at('full')))).toBe('FILE_WRONG_TYPE')
      expect(await codeOf(fs.read(''))).toBe('FILE_REFUSED')
      expect(await codeOf(fs.read('a\0b'))).toBe('FILE_REFUSED')
      await fs.remove(at('none'), { force: true })
      await fs.remove(at('file/below'), { force: true })
      expect(await fs.exists(at('file/below'))).toBe(false)
      await expect(fs.read(at('none'))).rejects.toMatchObject({ path: at('none') })
    })

    test('remove takes a link and not what it leads to, inside a folder too', async () => {
      await fs.write(at('outside/kept'), 'kept')
      await fs.mkdir(at('inside/deep'))
      symlinkSync(at('outside'), at('inside/deep/way-out'))
      symlinkSync(at('outside'), at('way-out'))
      await fs.remove(at('way-out/'), { recursive: true })
      await fs.remove(at('inside'), { recursive: true })
      expect(await fs.read(at('outside/kept'), 'utf8')).toBe('kept')
      expect(namesOf(await fs.ls(folder))).toEqual(['outside'])
    })

    test('remove refuses the root, the home folder and what is above it', async () => {
      symlinkSync('/', at('to-root'))
      for (const path of ['/', '//', '/.', '~', '~/', '~/.', '~/..', at('to-root/.'), `${at('to-root')}/./`])
        expect([path, await codeOf(fs.remove(path, { recursive: true }))]).toEqual([path, 'FILE_REFUSED'])
      await fs.remove(at('to-root'))
    })

    test('rename moves over a file, into a new folder, onto an empty folder', async () => {
      await fs.write(at('a'), 'a')
      await fs.write(at('b'), 'b')
      await fs.rename(at('a'), at('b'))
      expect(await fs.read(at('b'), 'utf8')).toBe('a')
      await fs.rename(at('b'), at('new/deep/c'))
      expect(await fs.read(at('new/deep/c'), 'utf8')).toBe('a')
      await fs.mkdir(at('empty'))
      await fs.rename(at('new'), at('empty'))
      expect(await fs.exists(at('empty/deep/c'))).toBe(true)
      await fs.mkdir(at('empty/deep'))
      expect(await codeOf(fs.rename(at('empty'), at('empty/deep/c')))).not.toBe('none')
    })
  })
}
