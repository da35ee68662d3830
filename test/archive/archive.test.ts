import { execFileSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { extractArchive } from '../../src/archive/extract.ts'
import { encodeHeader, ending } from '../../src/archive/tar.ts'
import { type ArchiveEntry, writeArchive } from '../../src/archive/write.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-archive-'))
afterAll(() => removeFolder(folder))

let count = 0
const fresh = (): string => {
  const path = join(folder, String(count++))
  mkdirSync(path)
  return path
}

interface File {
  path: string
  content: Uint8Array
  executable: boolean
}

function entriesOf(files: readonly File[]): ArchiveEntry[] {
  const home = fresh()
  return files.map(({ path, content, executable }, index) => {
    const source = join(home, String(index))
    writeFileSync(source, content)
    return { path, source, ...(executable ? { executable } : {}) }
  })
}

/** All that lies in a folder: contents, modes, targets; a file may be called `__proto__`, too. */
function seen(root: string, at = ''): Record<string, unknown> {
  return Object.fromEntries(
    readdirSync(join(root, at)).flatMap((name): [string, unknown][] => {
      const path = at === '' ? name : `${at}/${name}`
      const stats = lstatSync(join(root, path))
      if (stats.isDirectory()) return Object.entries(seen(root, path))
      if (stats.isSymbolicLink()) return [[path, readlinkSync(join(root, path))]]
      return [[path, [readFileSync(join(root, path)).toString('hex'), (stats.mode & 0o100) !== 0]]]
    }),
  )
}

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter((text) => !/[/\0]/.test(text) && !/^\.\.?$/.test(text) && Buffer.byteLength(text) < 200)
const files = fc
  .uniqueArray(
    fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/')),
      content: fc.uint8Array({ maxLength: 2000 }),
      executable: fc.boolean(),
    }),
    { selector: ({ path }) => path, maxLength: 12 },
  )
  // a file cannot be a folder as well
  .filter((all) => all.every(({ path }) => all.every((other) => !other.path.startsWith(`${path}/`))))

describe('an archive', () => {
  test('gives back the files that went in, whatever their names', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (all) => {
        const [archive, out] = [join(fresh(), 'a.tgz'), fresh()]
        const made = await writeArchive(archive, entriesOf(all))
        expect(await extractArchive(archive, out)).toEqual({ sha256: made.sha256, files: all.length })
        expect(seen(out)).toEqual(
          Object.fromEntries(
            all.map(({ path, content, executable }) => [
              path,
              [Buffer.from(content).toString('hex'), executable],
            ]),
          ),
        )
      }),
      {
        numRuns: 40,
        examples: [[[{ path: '__proto__', content: Buffer.from('x'), executable: false }]]],
      },
    )
  })

  test('is the same for the same files in any order, and `tar` reads it', async () => {
    const long = `${'deep/'.repeat(40)}ü.txt`
    const entries: ArchiveEntry[] = [
      ...entriesOf([
        { path: 'run', content: Buffer.from('#!'), executable: true },
        { path: long, content: Buffer.from('x'), executable: false },
      ]),
      { path: 'link', target: long },
    ]
    const [a, b] = [join(fresh(), 'a.tgz'), join(fresh(), 'b.tgz')]
    expect(await writeArchive(a, entries)).toEqual(await writeArchive(b, entries.toReversed()))
    const [ours, theirs] = [fresh(), fresh()]
    await extractArchive(a, ours)
    execFileSync('tar', ['-xzf', a, '-C', theirs])
    expect(seen(ours)).toEqual(seen(theirs))
    expect(seen(ours)['link']).toBe(long)
  })

  test('whatever bytes it is damaged with, unpacking ends, and nothing lies outside the folder', async () => {
    const archive = join(fresh(), 'a.tgz')
    await writeArchive(
      archive,
      entriesOf([{ path: `${'d/'.repeat(60)}f`, content: Buffer.alloc(700, 1), executable: false }]),
    )
    const whole = gunzipSync(readFileSync(archive))
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.nat(255),
        fc.nat(whole.length),
        async (at, byte, length) => {
          const damaged = Buffer.from(whole)
          damaged[at] = byte
          const home = fresh()
          const out = join(home, 'out')
          mkdirSync(out)
          writeFileSync(join(home, 'a.tgz'), gzipSync(damaged.subarray(0, length)))
          await extractArchive(join(home, 'a.tgz'), out).catch((error) => expect(error).toBeInstanceOf(Error))
          expect(readdirSync(home).sort()).toEqual(['a.tgz', 'out'])
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each([
    ['a path', { path: '../out.txt', size: 0 }],
    ['an absolute path', { path: '/tmp/out.txt', size: 0 }],
    ['a link', { path: 'a/b', target: '../../out', size: 0 }],
    ['an absolute link', { path: 'a', target: '/etc', size: 0 }],
  ])('%s that leads out of its folder is refused', async (_what, entry) => {
    const archive = join(fresh(), 'a.tgz')
    writeFileSync(archive, gzipSync(Buffer.concat([encodeHeader(entry), ending])))
    await expect(extractArchive(archive, fresh())).rejects.toThrow('leads out of its folder')
  })

  test('one that is cut off is told', async () => {
    const archive = join(fresh(), 'a.tgz')
    await writeArchive(archive, entriesOf([{ path: 'a', content: Buffer.alloc(5000, 7), executable: false }]))
    const bytes = readFileSync(archive)
    writeFileSync(archive, bytes.subarray(0, bytes.length - 10))
    await expect(extractArchive(archive, fresh())).rejects.toThrow()
    await expect(extractArchive(join(dirname(archive), 'none'), fresh())).rejects.toThrow('ENOENT')
  })
})
