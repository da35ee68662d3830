import { chmodSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const { sshd, slurm } = inject('slurms').plain
const folder = mkdtempSync(join(tmpdir(), 'farcall-node-slurm-'))
const bin = join(folder, 'bin')
const workdir = join(sshd.home, 'without-node')

beforeAll(() => {
  chmodSync(folder, 0o755)
  mkdirSync(bin)
  for (const name of readdirSync('/usr/bin'))
    if (!/^(node|nodejs|npm|npx|corepack)$/.test(name)) symlinkSync(join('/usr/bin', name), join(bin, name))
  const { host, port, user, identityFile, knownHosts } = sshd
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts } as const
  configure({
    profiles: {
      bare: {
        ...place,
        workdir,
        queryInterval: '2s',
        environment: { variables: { PATH: bin, MODULEPATH: '/none' } },
      },
      modules: {
        ...place,
        queryInterval: '2s',
        environment: { variables: { PATH: bin, MODULEPATH: `${folder}/modules` } },
      },
    },
  })
})
afterEach(close)
afterAll(() => removeFolder(folder))

it('compute nodes without Node get one while the first job waits, in one submission', async () => {
  const square = cluster({ profile: 'bare' }, (n: number) => [n * n, process.version, process.execPath])
  const name = `${process.versions.node}-linux-x64`
  const jobs = square.map([1, 2, 3])
  const told: unknown[] = []
  const job = (await jobs.job(0)).job
  void (async () => {
    for await (const { message } of job.updates()) told.push(message)
  })()
  expect(await jobs).toEqual([1, 4, 9].map((n) => [n, process.version, `${workdir}/node/${name}/bin/node`]))
  expect(job.attempts.length).toBe(1)
  expect(told).toContainEqual(expect.stringMatching(/^\S+ has no Node that will do; one is sent$/))
  expect(readdirSync(join(workdir, 'node'))).toEqual([name])
  // Known from now on: it is there before the job is.
  const next = square(4)
  expect(await next).toMatchObject({ 0: 16 })
  expect(next.nativeId).toMatch(/^\d+$/)
})

it('a module that the site has is found, and taken at once the next time', async () => {
  const node = slurm.env['PATH']!.split(':')[0]
  mkdirSync(join(folder, 'modules/nodejs'), { recursive: true })
  for (const [version, path] of [
    ['12.22.1', '/nonexistent'],
    [process.versions.node, node],
  ])
    writeFileSync(join(folder, `modules/nodejs/${version}`), `#%Module\nprepend-path PATH ${path}\n`)
  const look = cluster({ profile: 'modules' }, () => [
    process.env['LOADEDMODULES'],
    process.env['FARCALL_JOB_NODE'],
  ])
  const module = `nodejs/${process.versions.node}`
  expect(await look()).toEqual([module, `module:${module}`])
  expect(await look()).toEqual([module, `module:${module}`])
  const named = cluster(
    { profile: 'modules', environment: { node: module } },
    () => process.env['LOADEDMODULES'],
  )
  expect(await named()).toBe(module)
  const absent = cluster({ profile: 'modules', environment: { node: 'nodejs/99' } }, () => 1)
  await expect(absent()).rejects.toMatchObject({
    code: 'INTERPRETER_MISSING',
    message: expect.stringMatching(/module load nodejs\/99 failed on .*nodejs\/99/),
  })
})
