import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RecordedJob } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { root } from './helpers.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'farcall-provenance-')))
const project = join(folder, 'project')
const program = `import { close, cluster, jobs } from 'farcall'

const work = cluster((n: number) => n * n)
console.error(await work.map([1, 2, 3]))
console.error(await cluster((n: number) => { if (n > 1) throw new RangeError('no'); return n }).map([1, 2, 3]).settled())
await close()
console.log(JSON.stringify(await jobs()))
`
const git = (...args: string[]) => {
  const who = ['-c', 'user.name=me', '-c', 'user.email=me@localhost']
  return execFileSync('git', [...who, ...args], { cwd: project, encoding: 'utf8' }).trim()
}

beforeAll(() => {
  mkdirSync(join(project, 'src'), { recursive: true })
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(root, join(project, 'node_modules/farcall'))
  writeFileSync(join(project, '.gitignore'), 'node_modules\n')
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(project, 'src/study.ts'), program)
})
afterAll(() => removeFolder(folder))

/** Runs the program somewhere else; the jobs that it has on record, the oldest first. */
function run(): RecordedJob[] {
  const env = {
    ...process.env,
    FARCALL_SCHEDULER: 'direct',
    FARCALL_WORKDIR: mkdtempSync(join(folder, 'work-')),
    FARCALL_STORE: mkdtempSync(join(folder, 'store-')),
  }
  const argv = [`${root}dist/cli/main.js`, 'run', join(project, 'src/study.ts')]
  const stdout = execFileSync(process.execPath, argv, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  return (JSON.parse(stdout.toString()) as RecordedJob[]).reverse()
}

it('a job says which code it ran: commit, changed files, lockfile, versions on both sides', {
  timeout: 60_000,
}, () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const here = {
    farcall: version,
    node: process.version,
    cwd: folder,
    program: join(project, 'src/study.ts'),
  }
  const [bare] = run()
  expect(bare).toMatchObject({ nodeVersion: process.version, status: { state: 'COMPLETED' } })
  expect(bare!.provenance).toEqual(here)

  git('init', '-q')
  writeFileSync(join(project, 'package-lock.json'), '{ "lockfileVersion": 3 }\n')
  git('add', '.')
  git('commit', '-q', '-m', 'one')
  const commit = git('rev-parse', 'HEAD')
  const lockfile = createHash('sha256')
    .update(readFileSync(join(project, 'package-lock.json')))
    .digest('hex')
  for (const { provenance } of run())
    expect(provenance).toEqual({ ...here, git: { commit, dirty: false }, lockfile })

  appendFileSync(join(project, 'src/study.ts'), '// changed\n')
  const jobs = run()
  for (const { provenance } of jobs)
    expect(provenance).toEqual({ ...here, git: { commit, dirty: true }, lockfile })
  expect(jobs.map(({ items, done, failed }) => ({ items, done, failed }))).toEqual([
    { items: 3, done: 3, failed: 0 },
    { items: 3, done: 1, failed: 2 },
  ])
})
