import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { close, cluster, connect, fs } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const top = mkdtempSync(join(tmpdir(), 'farcall-own-'))
const folder = join(top, 'files')
mkdirSync(folder)
process.env['FARCALL_WORKDIR'] = join(top, 'work')
afterAll(() => removeFolder(top))
afterEach(close)

test('inside a remote function fs is the files of the node', async () => {
  const write = cluster(async (path: string) => {
    await fs.write(`${path}/sub/there.txt`, 'from the node')
    const names: string[] = []
    for await (const { name } of fs.find(path, { type: 'file' })) names.push(name)
    return {
      names,
      listed: (await fs.ls(path)).map(({ type }) => type),
      glob: await fs.glob(`${path}/**/*.txt`),
    }
  })
  const { names, listed, glob } = await write(folder)
  expect([names, listed, glob]).toEqual([['there.txt'], ['folder'], [`${folder}/sub/there.txt`]])
  expect(readFileSync(join(folder, 'sub/there.txt'), 'utf8')).toBe('from the node')
})

test('what it refuses there has its code here', async () => {
  const read = cluster((path: string) => fs.read(path))
  await expect(read(join(folder, 'none'))).rejects.toMatchObject({
    code: 'FILE_MISSING',
    path: join(folder, 'none'),
  })
})

test('without a host connect() is this machine', async () => {
  await using here = await connect()
  expect(here.name).toBe('local')
  expect((await here.run(['pwd'])).stdout.trim()).toBe(
    (await here.run(['sh', '-c', 'echo "$HOME"'])).stdout.trim(),
  )
  expect(await here.fs.exists(folder)).toBe(true)
  expect(await here.fs.isdir('~')).toBe(true)
})
