import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { configure, connect } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { builtPrograms } from './built.ts'
import { guideBlocks } from './guide.ts'

const program = builtPrograms()
const { sshd } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd
const config = { profiles: { hpc: { scheduler: 'slurm', host, port, user, identityFile, knownHosts } } }
const env = { FARCALL_PROFILE: 'hpc' }

/** The TypeScript of a section of the guide, all of it one program. */
function codeOf(section: string): string {
  const blocks = guideBlocks.filter((block) => block.section === section)
  expect(blocks.length, `the guide has code in ${section}`).toBeGreaterThan(0)
  return blocks.map(({ code }) => code).join('\n')
}

let scratch = ''
beforeAll(async () => {
  configure(config)
  await using hpc = await connect('hpc')
  for (const [path, content] of Object.entries({
    'runs/a.csv': 'x',
    'runs/large.bin': 'y'.repeat(100_000),
    'project/results/r.txt': 'found',
  }))
    await hpc.fs.write(path, content)
  expect(await hpc.run(['truncate', '-s', '2G', 'runs/big.h5'])).toMatchObject({ exitCode: 0 })
  scratch = mkdtempSync(join(tmpdir(), 'farcall-scratch-'))
  chmodSync(scratch, 0o755)
  writeFileSync(join(scratch, 'mesh.h5'), 'far mesh')
})
afterAll(async () => {
  await using hpc = await connect('hpc')
  for (const folder of ['runs', 'project', 'notes']) await hpc.fs.remove(folder, { recursive: true })
  removeFolder(scratch)
})

it('the program of the section on files runs as it is written', async () => {
  const files = { 'files.ts': codeOf('Files'), 'data/a.csv': '1', 'data/b.tmp': '2' }
  const { code, stdout, stderr, cwd } = await program('files.ts', { config, env, files })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^large\.bin 100000 /m)
  expect(stdout).toMatch(/^runs\/big\.h5$/m)
  expect(stdout).toMatch(/^began$/m)
  expect(readFileSync(join(cwd, 'results/r.txt'), 'utf8')).toBe('found')
  expect(readFileSync(join(sshd.home, 'project/data/a.csv'), 'utf8')).toBe('1')
})

it('the program of the section on staging runs as it is written, with a scratch folder that there is', async () => {
  const code = codeOf('Staging').replace('/scratch/', `${scratch}/`)
  const staging = `${code}\nconsole.log(await size(localFile('mesh.h5')), await size(remoteFile('${scratch}/mesh.h5')))\n`
  const files = {
    'staging.ts': staging,
    'data/a.csv': '1',
    'data/b.csv': '2',
    'settings/small.json': '{}',
    'mesh.h5': 'mesh',
  }
  const said = await program('staging.ts', { config, env, files })
  expect(said).toMatchObject({ code: 0, stderr: '', stdout: '4 8\n' })
  for (const path of ['results/42.txt', '0/results/1.txt', '1/results/2.txt', '2/results/3.txt'])
    expect(readFileSync(join(said.cwd, path), 'utf8')).toBe('done')
})
