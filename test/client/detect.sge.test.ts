import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { root } from './helpers.ts'

const { sshd } = inject('sge')
const { host, port, user, identityFile, knownHosts } = sshd
const folder = mkdtempSync(join(tmpdir(), 'farcall-detect-'))
const store = join(folder, 'store')
const memory = join(store, 'schedulers.json')
const profile = { host, port, user, identityFile, knownHosts, queryInterval: '2s' } as const

afterAll(async () => {
  await close()
  removeFolder(folder)
})

const cli = (...args: string[]) =>
  execFileSync(process.execPath, [`${root}dist/cli/main.js`, ...args], { cwd: folder, encoding: 'utf8' })

it('a profile that names no scheduler has it found out once, remembered, and said', async () => {
  writeFileSync(join(folder, 'farcall.config.json'), JSON.stringify({ store, profiles: { hpc: profile } }))
  const shown = () => JSON.parse(cli('config', 'show', '--json')).values.scheduler
  expect(shown()).toEqual({ value: 'auto', source: { kind: 'default', name: 'default' } })

  configure({ store, profiles: { hpc: profile }, defaultProfile: 'hpc' })
  const look = cluster({}, () => process.env['SGE_ROOT'] !== undefined)
  expect(await Promise.all([look(), look()])).toEqual([true, true])
  expect(Object.values(JSON.parse(readFileSync(memory, 'utf8')))).toEqual([
    { scheduler: 'sge', time: expect.any(Number) },
  ])
  expect(shown()).toMatchObject({
    value: 'sge',
    source: { name: expect.stringMatching(/^found there on \d{4}/) },
  })

  // What is remembered is believed, until the doctor looks again.
  writeFileSync(memory, readFileSync(memory, 'utf8').replace('"sge"', '"slurm"'))
  await close()
  await expect(look()).rejects.toMatchObject({ name: expect.stringMatching(/Error/) })
  const said = cli('doctor', '--no-job')
  expect(said).toMatch(
    /scheduler +sge 8\.1\.9 \(.*qsub\); found there, as the profile names none; cores by\s+parallel environment smp/,
  )
  expect(JSON.parse(readFileSync(memory, 'utf8'))).toEqual({
    [Object.keys(JSON.parse(readFileSync(memory, 'utf8')))[0]!]: {
      scheduler: 'sge',
      time: expect.any(Number),
    },
  })
  await close()
  expect(await look()).toBe(true)
})

it('a damaged memory is found out again', async () => {
  writeFileSync(memory, '{ "half')
  await close()
  expect(await cluster({}, () => 1)()).toBe(1)
  expect(existsSync(memory) && readFileSync(memory, 'utf8')).toMatch(/"scheduler": "sge"/)
})
