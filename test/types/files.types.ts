import { type Cluster, cluster, connect, type FileInfo, fs, localFile, remoteFile } from 'farcall'
import { is } from './equal.ts'

const read = cluster((path: string, config: { files: string[] }) => path.length + config.files.length)
// text, for whoever takes a path
read(localFile('a'), { files: [localFile('b'), remoteFile('~/c')] })
read.map([localFile('a'), 'plain'])
class Study {
  @cluster()
  static async size(path: string): Promise<number> {
    return path.length
  }
}
Study.size(localFile('a'))
// @ts-expect-error a path is no number
cluster((n: number) => n)(localFile('a'))

is<Promise<FileInfo>>()(fs.stat('a'))
is<Promise<string>>()(fs.read('a', 'utf8'))
is<Promise<Uint8Array>>()(fs.read('a'))
async function files(there: Cluster): Promise<void> {
  const listed: FileInfo[] = await there.fs.ls()
  for await (const path of there.fs.glob('*')) path.toUpperCase()
  await there.fs.sync('a', 'b', { direction: 'down', delete: listed.length > 0 })
  // @ts-expect-error it has to be said which way
  await there.fs.sync('a', 'b', {})
  // @ts-expect-error a line of shell is no list of words
  await there.run('ls')
}
connect('hpc').then(files)

cluster({ stage: { in: ['a', { from: 'b', to: 'c' }], out: ['*.csv'], to: 'runs/{index}' } }, () => 1)
// @ts-expect-error a typo
cluster({ stage: { outputs: [] } }, () => 1)
