import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** One that is compiled here, one with a prebuilt part for each platform, and one that finds a wasm file beside it. */
const dependencies = { 'better-sqlite3': '12.11.1', sharp: '0.35.5', 'sql.js': '1.17.0' }

const files = {
  'package.json': JSON.stringify({ name: 'together', private: true, type: 'module', dependencies }),
  'table.csv': 'a,b\n1,2\n3,4\n',
  'worker.ts': `import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
const { doubled } = new Database(':memory:').prepare('select ? * 2 as doubled').get(workerData) as { doubled: number }
parentPort!.postMessage(doubled)
`,
  'study.ts': `import { readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { Worker } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { cluster } from 'farcall'
import sharp from 'sharp'
import initSqlJs from 'sql.js'

const together = cluster({ time: '5m', name: 'together' }, async (n: number) => {
  const db = new Database(':memory:')
  db.exec('create table numbers (n integer)')
  const insert = db.prepare('insert into numbers values (?)')
  for (let i = 1; i <= n; i++) insert.run(i)
  const { sum } = db.prepare('select sum(n) as sum from numbers').get() as { sum: number }
  const red = { width: n, height: 3, channels: 3, background: 'red' } as const
  const { width, height } = await sharp(await sharp({ create: red }).png().toBuffer()).metadata()
  const { Database: Wasm } = await initSqlJs()
  const [{ values }] = new Wasm().exec(\`select \${n} + 1\`)
  const rows = readFileSync(new URL('./table.csv', import.meta.url), 'utf8').trim().split('\\n').length - 1
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: n })
  const doubled = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return { sum, size: [width, height], wasm: values[0][0], rows, doubled, user: userInfo().username, host: hostname() }
})
const [one, ...others] = [...(await together.map([4, 5, 6, 7])), await together(8)]
console.log(JSON.stringify([one, ...others]))
`,
}

const hash = createHash('sha256')
  .update(JSON.stringify([files, process.version, root]))
  .digest('hex')
  .slice(0, 12)

/** A project with its packages installed by npm, one of them compiled; kept from one run of the tests to the next. */
export async function installedProject(): Promise<string> {
  const folder = join(tmpdir(), `farcall-together-${process.getuid?.()}-${hash}`)
  if (existsSync(folder)) return folder
  const made = mkdtempSync(`${folder}-`)
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(made, name), text)
    await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=5'], {
      cwd: made,
    })
    symlinkSync(root, join(made, 'node_modules/farcall'))
    // Renamed into place: what is there is complete.
    renameSync(made, folder)
  } catch (error) {
    // Another run was faster.
    if (!existsSync(folder)) throw error
  } finally {
    removeFolder(made)
  }
  return folder
}
