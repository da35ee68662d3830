import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { watchScript } from '../../src/executor/batch/member-scripts.ts'
import { sharedQueryScript } from '../../src/executor/batch/queue-scripts.ts'
import { close, cluster, configure, connect, currentTask, fs, localFile } from '../../src/index.ts'
import { injectFaults } from '../../src/testing/index.ts'
import { removeFolder } from '../remove-folder.ts'

const [[kind, { sshd, slurm }]] = Object.entries(inject('slurms')) as [
  [string, ReturnType<typeof inject<'slurms'>>['accounting']],
]
const { host, port, user, identityFile, knownHosts } = sshd
const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
const start = process.cwd()
let folder: string

/** A command of whoever runs Slurm. */
const admin = (file: string, ...args: string[]) =>
  execFileSync(file, args, { env: { ...process.env, ...slurm.env }, encoding: 'utf8' })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-stage-'))
  process.chdir(folder)
  configure({ profiles: { [kind]: { ...place, queryInterval: '2s', filePoll: '1s', grace: '20s' } } })
})
afterEach(async () => {
  process.chdir(start)
  injectFaults({})
  await close()
  removeFolder(folder)
})

test('an array of 60 on Slurm brings its files, in commands that do not grow with it', async () => {
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, "data/it's $HOME.csv"), '1,2')
  writeFileSync(join(folder, 'mesh'), 'mesh')
  let [operations, looks] = [0, 0]
  injectFaults({
    before: (_number, _operation, argv) => {
      operations++
      if (argv.some((word) => word === watchScript || word === sharedQueryScript)) looks++
    },
  })
  const stage = { in: ['data/*.csv'], out: ['out/*.txt'], to: 'runs/{index}' }
  const work = cluster({ profile: kind, time: '5m', stage }, async (n: number, mesh: string) => {
    const [path] = await fs.glob('data/*')
    await fs.write(`out/${n}.txt`, `${n} ${path} ${await fs.read(mesh, 'utf8')}`)
    return n
  })
  const items = Array.from({ length: 60 }, (_, n): [number, string] => [n, localFile('mesh')])
  expect(await work.starmap(items)).toEqual(items.map(([n]) => n))
  for (const [n] of items)
    expect(readFileSync(`runs/${n}/out/${n}.txt`, 'utf8')).toBe(`${n} data/it's $HOME.csv mesh`)
  // what is sent, and for each look that found ends: lists and an archive
  expect(operations - looks).toBeLessThan(20 + 2 * looks)
  await using there = await connect(kind)
  expect((await there.run(['sinfo', '--version'])).stdout).toMatch(/^slurm/)
})

test('a try after a lost node has its inputs again, and brings the outputs of the last one alone', async () => {
  writeFileSync('in.txt', 'input')
  const work = cluster(
    {
      profile: kind,
      time: '5m',
      requeue: false,
      retry: { retries: 1, base: '100ms' },
      stage: { in: ['in.txt'], out: ['out/*'] },
    },
    async () => {
      const [text, before] = [await fs.read('in.txt', 'utf8'), await fs.exists('out')]
      const { attempt } = currentTask()!
      await fs.write(`out/${attempt}`, text)
      if (attempt === 1) await new Promise((resolve) => setTimeout(resolve, 200_000))
      return before
    },
  )
  const job = work()
  job.catch(() => {})
  const written = `${slurm.home}/.farcall/jobs/${job.id}`
  await expect
    .poll(() => existsSync(written) && readdirSync(written, { recursive: true }).join(' '), {
      timeout: 60_000,
    })
    .toContain('out/1')
  const node = admin('squeue', '-h', '-o', '%N', '-j', job.nativeId!).trim()
  admin('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test')
  try {
    expect(await job).toBe(false)
    expect(job.attempts.map(({ status }) => status.reason)).toEqual(['node-failure', undefined])
    expect(readdirSync('out')).toEqual(['2'])
    expect(readFileSync('out/2', 'utf8')).toBe('input')
  } finally {
    admin('scontrol', 'update', `nodename=${node}`, 'state=idle')
  }
})
