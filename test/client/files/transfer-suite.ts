import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nameFromBytes, nativeName } from '../../../src/files/names.ts'
import type { ClusterFiles, TransferProgress } from '../../../src/files/types.ts'
import { hostileNames } from '../../files/suite.ts'
import { removeFolder } from '../../remove-folder.ts'

/** All that lies below a folder: what it is, its content, mode and time. */
export function pictureOf(folder: string): Record<string, unknown> {
  const picture: Record<string, unknown> = {}
  const look = (path: string) => {
    for (const bytes of readdirSync(nativeName(path), { encoding: 'buffer' })) {
      const name = nameFromBytes(bytes)
      const at = `${path}/${name}`
      const stat = lstatSync(nativeName(at))
      const key = at.slice(folder.length + 1)
      if (stat.isDirectory()) {
        picture[key] = 'folder'
        look(at)
      } else if (stat.isSymbolicLink()) picture[key] = `-> ${readlinkSync(nativeName(at))}`
      else
        picture[key] = [sha(readFileSync(nativeName(at))), stat.mode & 0o777, Math.floor(stat.mtimeMs / 1000)]
    }
  }
  look(folder)
  return picture
}

export const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex').slice(0, 16)

/** What put, get and sync do, wherever the files go; both ends are on this machine, for the suite looks at them. */
export function transferSuite(name: string, open: () => Promise<ClusterFiles>): void {
  describe(`transfers ${name}`, () => {
    let fs: ClusterFiles
    let base: string
    let here: string
    let there: string
    let count = 0

    beforeAll(async () => {
      base = mkdtempSync(join(tmpdir(), 'farcall-transfer-'))
      chmodSync(base, 0o777)
      fs = await open()
    })
    afterAll(() => removeFolder(base))
    beforeEach(() => {
      ;[here, there] = [join(base, `here${count}`), join(base, `there${count++}`)]
      mkdirSync(here)
      mkdirSync(there)
      chmodSync(there, 0o777)
    })

    const fill = (folder: string) => {
      mkdirSync(join(folder, 'sub/deep'), { recursive: true })
      mkdirSync(join(folder, 'empty'))
      writeFileSync(join(folder, 'a.csv'), '1,2\n')
      writeFileSync(join(folder, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 })
      writeFileSync(join(folder, 'sub/zero'), '')
      writeFileSync(join(folder, 'sub/deep/large'), randomBytes(3_500_000))
      writeFileSync(join(folder, `sub/${'n'.repeat(250)}`), 'a long name')
      linkSync(join(folder, 'a.csv'), join(folder, 'sub/hard'))
      symlinkSync('../a.csv', join(folder, 'sub/link'))
      symlinkSync('/etc', join(folder, 'out-of-here'))
      for (const name of hostileNames) writeFileSync(nativeName(`${folder}/sub/${name}`), name)
      utimesSync(join(folder, 'a.csv'), 1e9, 1e9)
    }

    test('a folder goes there and comes back as it was', async () => {
      fill(here)
      const put = await fs.put(here, join(there, 'tree'))
      expect(put.files).toBe(8 + hostileNames.length)
      expect(pictureOf(join(there, 'tree'))).toEqual(pictureOf(here))
      mkdirSync(join(here, '../back'), { recursive: true })
      const back = join(base, `back${count}`)
      const got = await fs.get(join(there, 'tree'), back)
      expect(got).toEqual(put)
      expect(pictureOf(back)).toEqual(pictureOf(here))
    })

    test('a file gets the name that is given, or its own in a folder', async () => {
      writeFileSync(join(here, 'a'), 'a')
      writeFileSync(join(here, 'b'), 'b')
      await fs.put(join(here, 'a'), join(there, 'new/name'))
      await fs.put(join(here, 'a'), join(there, 'new/'))
      await fs.put([join(here, 'a'), join(here, 'b')], join(there, 'both'))
      expect(Object.keys(pictureOf(there))).toEqual(['both', 'both/a', 'both/b', 'new', 'new/a', 'new/name'])
      await fs.get(join(there, 'new/name'), join(here, 'got'))
      await fs.get([join(there, 'both/a'), join(there, 'new/name')], join(here, 'all'))
      expect(readFileSync(join(here, 'got'), 'utf8')).toBe('a')
      expect(readdirSync(join(here, 'all')).sort()).toEqual(['a', 'name'])
      await expect(fs.put(join(here, 'none'), there)).rejects.toMatchObject({ code: 'FILE_MISSING' })
      await expect(fs.get(join(there, 'none'), here)).rejects.toMatchObject({ code: 'FILE_MISSING' })
      await expect(fs.put(join(here, 'a'), join(there, 'both'))).rejects.toMatchObject({
        code: 'FILE_WRONG_TYPE',
      })
      const twice = fs.put([join(here, 'a'), join(there, 'both/a')], there)
      await expect(twice).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    })

    test('what a named link leads to is sent, and what is there is replaced', async () => {
      writeFileSync(join(here, 'real'), 'real')
      symlinkSync('real', join(here, 'link'))
      writeFileSync(join(there, 'target'), 'an older and longer one')
      symlinkSync(here, join(there, 'way'))
      await fs.put(join(here, 'link'), join(there, 'target'))
      expect([
        lstatSync(join(there, 'target')).isFile(),
        readFileSync(join(there, 'target'), 'utf8'),
      ]).toEqual([true, 'real'])
      symlinkSync(join(there, 'target'), join(there, 'link2'))
      await fs.get(join(there, 'link2'), join(here, 'got'))
      expect([lstatSync(join(here, 'got')).isFile(), readFileSync(join(here, 'got'), 'utf8')]).toEqual([
        true,
        'real',
      ])
    })

    test('progress counts up to the whole', async () => {
      fill(here)
      const seen: TransferProgress[] = []
      const done = await fs.put(here, join(there, 'tree'), { onProgress: (one) => seen.push(one) })
      const last = seen.at(-1)!
      expect(last).toEqual({
        files: done.files,
        totalFiles: done.files,
        bytes: done.bytes,
        totalBytes: done.bytes,
      })
      expect(seen.every((one, at) => at === 0 || one.bytes >= seen[at - 1]!.bytes)).toBe(true)
      const stopped = fs.put(here, join(there, 'other'), { signal: AbortSignal.abort(new Error('enough')) })
      await expect(stopped).rejects.toThrow('enough')
    })

    test('sync copies what changed, either way, and removes only when told to', async () => {
      fill(here)
      const target = join(there, 'tree')
      const first = await fs.sync(here, target, { direction: 'up' })
      expect(first.copied.length).toBe(8 + hostileNames.length)
      expect(pictureOf(target)).toEqual(pictureOf(here))
      expect(await fs.sync(here, target, { direction: 'up' })).toMatchObject({
        copied: [],
        removed: [],
        bytes: 0,
      })
      expect(await fs.sync(here, target, { direction: 'up', compare: 'hash' })).toMatchObject({ copied: [] })

      writeFileSync(join(here, 'a.csv'), '3,4\n')
      removeFolder(join(here, 'sub/deep'))
      rmSync(join(here, 'sub/link'))
      symlinkSync('../A.csv', join(here, 'sub/link'))
      const dry = await fs.sync(here, target, { direction: 'up', dryRun: true, delete: true })
      expect([dry.copied, dry.removed]).toEqual([['a.csv', 'sub/hard', 'sub/link'], ['sub/deep']])
      expect(existsSync(join(target, 'sub/deep/large'))).toBe(true)
      const kept = await fs.sync(here, target, { direction: 'up' })
      expect([kept.copied, kept.removed]).toEqual([['a.csv', 'sub/hard', 'sub/link'], []])
      expect(existsSync(join(target, 'sub/deep/large'))).toBe(true)
      const removed = await fs.sync(here, target, { direction: 'up', delete: true })
      expect([removed.copied, removed.removed]).toEqual([[], ['sub/deep']])
      expect(pictureOf(target)).toEqual(pictureOf(here))
      expect(statSync('/etc').isDirectory()).toBe(true)

      const back = await fs.sync(join(here, 'down'), target, {
        direction: 'down',
        exclude: ['*.sh', 'sub/zero', 'empty/'],
      })
      expect(back.copied).toContain('a.csv')
      expect(['run.sh', 'empty', 'sub/zero'].map((one) => existsSync(join(here, 'down', one)))).toEqual([
        false,
        false,
        false,
      ])
      removeFolder(join(here, 'down'))
    })

    test('large files that changed a little are the same afterwards, either way, whatever their names', async () => {
      mkdirSync(join(here, 'sub/deep'), { recursive: true })
      const paths = ['large', 'sub/deep/other', ...hostileNames.map((name) => `sub/${name}`)]
      const change = (folder: string, mtime: number) => {
        for (const path of paths) {
          const content = Buffer.alloc(1_200_000, path)
          content.writeDoubleLE(mtime, 700_000)
          writeFileSync(nativeName(`${folder}/${path}`), content)
          utimesSync(nativeName(`${folder}/${path}`), mtime, mtime)
        }
        chmodSync(join(folder, 'large'), 0o640)
      }
      const target = join(there, 'tree')
      change(here, 1e9)
      writeFileSync(join(here, 'small'), 'small')
      await fs.sync(here, target, { direction: 'up' })
      change(here, 1.1e9)
      writeFileSync(join(here, 'small'), 'small and new')
      const seen: TransferProgress[] = []
      const up = await fs.sync(here, target, { direction: 'up', onProgress: (one) => seen.push(one) })
      expect(up.copied.length).toBe(paths.length + 1)
      expect(pictureOf(target)).toEqual(pictureOf(here))
      const [files, bytes] = [up.copied.length, up.bytes]
      expect(seen.at(-1)).toEqual({ files, bytes, totalFiles: files, totalBytes: bytes })

      change(here, 1.2e9)
      const stopped = fs.sync(here, target, {
        direction: 'up',
        signal: AbortSignal.abort(new Error('enough')),
      })
      await expect(stopped).rejects.toThrow('enough')
      await fs.sync(here, target, { direction: 'down', exclude: ['small'] })
      expect(pictureOf(target)).toEqual(pictureOf(here))
      change(here, 1.1e9)
      writeFileSync(join(here, 'large'), Buffer.alloc(1_200_000, 'hash'))
      utimesSync(join(here, 'large'), 1.1e9, 1.1e9)
      await fs.sync(here, target, { direction: 'up' })
      const byHash = await fs.sync(here, target, { direction: 'up', compare: 'hash', rsync: false })
      expect(byHash.copied).toEqual(['large'])
      writeFileSync(join(here, 'large'), Buffer.alloc(1_200_000, 'sums'))
      utimesSync(join(here, 'large'), 1.1e9, 1.1e9)
      expect((await fs.sync(here, target, { direction: 'up', compare: 'hash' })).copied).toEqual(['large'])
      expect(pictureOf(target)).toEqual(pictureOf(here))
    })

    test('the same size and time with another content is seen by hash', async () => {
      writeFileSync(join(here, 'a'), 'old')
      await fs.sync(here, there, { direction: 'up' })
      writeFileSync(join(here, 'a'), 'new')
      const { atime, mtime } = statSync(join(there, 'a'))
      utimesSync(join(here, 'a'), atime, mtime)
      expect((await fs.sync(here, there, { direction: 'up' })).copied).toEqual([])
      expect((await fs.sync(here, there, { direction: 'up', compare: 'hash' })).copied).toEqual(['a'])
      expect(readFileSync(join(there, 'a'), 'utf8')).toBe('new')
    })

    test('a folder where a file was is refused, and replaced with `delete`', async () => {
      mkdirSync(join(here, 'a'))
      writeFileSync(join(here, 'a/x'), 'x')
      mkdirSync(join(here, 'c'))
      writeFileSync(join(here, 'b'), 'b')
      writeFileSync(join(there, 'a'), 'a file')
      await fs.mkdir(join(there, 'b/full'))
      const refused = fs.sync(here, there, { direction: 'up' })
      await expect(refused).rejects.toMatchObject({ code: 'FILE_WRONG_TYPE' })
      await fs.sync(here, there, { direction: 'up', delete: true })
      expect(pictureOf(there)).toEqual(pictureOf(here))
    })

    test('a source that is not there removes nothing', async () => {
      writeFileSync(join(there, 'kept'), '')
      const sync = fs.sync(join(here, 'none'), there, { direction: 'up', delete: true })
      await expect(sync).rejects.toMatchObject({ code: 'FILE_MISSING' })
      expect(existsSync(join(there, 'kept'))).toBe(true)
    })

    test('a large file goes on where it was cut, and not with what has changed since', async () => {
      const large = randomBytes(40_000_000)
      writeFileSync(join(here, 'large'), large)
      const { size, mtimeMs } = statSync(join(here, 'large'))
      const tag = (mtime: number) =>
        `.large.farcall-${size.toString(36)}-${Math.floor(mtime / 1000).toString(36)}`
      await fs.write(join(there, tag(mtimeMs)), large.subarray(0, 35_000_000), { mode: 0o600 })
      await fs.write(join(there, `.large.farcall-zz-1`), 'of another version', { mode: 0o600 })
      const steps: number[] = []
      await fs.put(join(here, 'large'), join(there, 'large'), {
        onProgress: ({ bytes }) => steps.push(bytes),
      })
      expect(sha(readFileSync(join(there, 'large')))).toBe(sha(large))
      expect(readdirSync(there).filter((one) => !one.endsWith('-zz-1'))).toEqual(['large'])
      const got = statSync(join(there, 'large'))
      writeFileSync(join(here, tag(got.mtimeMs).replace('large', 'back')), large.subarray(0, 35_000_000))
      await fs.get(join(there, 'large'), join(here, 'back'))
      expect(sha(readFileSync(join(here, 'back')))).toBe(sha(large))
      expect(readdirSync(here).sort()).toEqual(['back', 'large'])
      expect(steps.at(-1)).toBe(size)
    })
  })
}
