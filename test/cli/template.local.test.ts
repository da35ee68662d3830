import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { templateNames } from '../../src/scheduler/template-names.ts'
import { root } from '../client/helpers.ts'
import { removeFolder } from '../remove-folder.ts'
import { withoutTerminal } from '../transport/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-template-'))
afterAll(() => removeFolder(folder))

const write = (name: string, text: string) => {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}
const mine = write(
  'mine.sh.liquid',
  "#!/bin/bash\n# mine: {{ memoryBytes }}\n{% include 'slurm.sh.liquid' %}\n",
)
mkdirSync(join(folder, 'farcall'))
write(
  'farcall/config.json',
  JSON.stringify({
    profiles: {
      // Nobody is asked: there is no such host.
      hpc: { scheduler: 'slurm', host: 'none.invalid', template: mine, resources: { memory: '2GB' } },
      gone: { scheduler: 'slurm', template: '/no/such.liquid' },
      unknown: { host: 'none.invalid' },
    },
    defaultProfile: 'hpc',
  }),
)
const env = {
  ...process.env,
  XDG_CONFIG_HOME: folder,
  XDG_STATE_HOME: folder,
  XDG_DATA_HOME: folder,
  NO_COLOR: '1',
}
const template = (...args: string[]) => withoutTerminal([`${root}dist/cli/main.js`, 'template', ...args], env)

test('list has those of schedulers, their parts, and those of profiles', async () => {
  const { stdout, exitCode } = await template('list', '--json')
  expect(exitCode).toBe(0)
  const rows = JSON.parse(stdout) as { name: string; kind: string; file: string; found: boolean }[]
  const named = (kind: string) => rows.filter((row) => row.kind === kind).map(({ name }) => name)
  expect(named('scheduler')).toEqual(['slurm', 'sge', 'pbs', 'torque', 'direct', 'kubernetes'])
  expect(named('part')).toEqual(expect.arrayContaining(['body', 'parts/end']))
  expect(rows.filter(({ kind }) => kind === 'profile')).toEqual([
    { name: 'hpc', kind: 'profile', file: mine, found: true },
    { name: 'gone', kind: 'profile', file: '/no/such.liquid', found: false },
  ])
  expect((await template('list')).stdout).toContain('/no/such.liquid (not there)')
})

test('show has the source on stdout, and the names beside it', async () => {
  const source = readFileSync(`${root}templates/slurm.sh.liquid`, 'utf8')
  const shown = await template('show', 'slurm')
  expect(shown).toMatchObject({ exitCode: 0, stdout: source })
  for (const name of Object.keys(templateNames)) expect(shown.stderr).toContain(`  ${name} `)
  expect(shown.stderr).not.toContain('lanes')
  expect((await template('show', 'k8s')).stderr).toContain('  lanes ')
  expect((await template('show')).stdout).toBe(readFileSync(mine, 'utf8'))
  expect(JSON.parse((await template('show', 'parts/end', '--json')).stdout)).toMatchObject({
    names: { workdir: expect.any(String) },
  })
  expect(await template('show', 'slrum')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("did you mean 'slurm'?"),
  })
  expect(await template('show', '--profile', 'gone')).toMatchObject({ exitCode: 3, stdout: '' })
})

test.each(['slurm', 'sge', 'pbs', 'torque', 'direct', 'kubernetes'])(
  'check: what %s has is valid, and so is a copy of it',
  async (scheduler) => {
    const own = await template('check', '--scheduler', scheduler, '--memory', '4GB', '--time', '1h')
    expect(own).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^#!\/bin\/sh\n/) })
    const copy = write(`${scheduler}.liquid`, (await template('show', scheduler)).stdout)
    const copied = await template('check', copy, '--scheduler', scheduler, '--memory', '4GB', '--time', '1h')
    expect(copied).toMatchObject({ exitCode: 0, stdout: own.stdout })
  },
)

test('check renders with the resources of the profile and those given, and connects nowhere', async () => {
  const checked = await template('check', '--time', '90m', '--gpus', 'a100:2')
  expect(checked.exitCode).toBe(0)
  expect(checked.stdout).toContain('# mine: 2147483648\n')
  expect(checked.stdout).toContain('#SBATCH --time=01:30:00\n')
  expect(checked.stderr).toBe(`template ${mine} is valid\n`)
  expect(await template('check', '--profile', 'unknown')).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('--scheduler slurm'),
  })
  expect(await template('check', '--scheduler', 'direct', '--partition', 'x')).toMatchObject({ exitCode: 5 })
})

test('check tells what is wrong, with file and line', async () => {
  const check = (text: string) => template('check', write('bad.liquid', text), '--scheduler', 'slurm')
  const wrong = async (text: string, ...words: string[]) => {
    const { exitCode, stderr } = await check(text)
    expect(exitCode).toBe(3)
    for (const one of words) expect(stderr).toContain(one)
  }
  const file = join(folder, 'bad.liquid')
  await wrong('#!/bin/sh\n{% if wrokdir %}{% endif %}', `${file}:2: undefined variable: wrokdir`, "'workdir'")
  await wrong('#!/bin/sh\n\n{{ id | shh }}', `${file}:3: undefined filter: shh`)
  await wrong('#!/bin/sh\n\n{% if id %}', `${file}:3: `)
  await wrong(
    '#!/bin/sh\necho {{ id }}\n)\n',
    'sh cannot read the script that it gives, line 3: ',
    'the line is: )',
  )
  await wrong('#!/bin/bash\na=(1 2\necho "\n', 'bash cannot read the script')
  await wrong(
    '#!/bin/sh\n{% if members > 1 %})\n{% endif %}',
    'the script of an array of 3 that it gives, line 2',
  )
  expect(await check('#!/bin/bash\na=(1 2)\n')).toMatchObject({
    exitCode: 0,
    stdout: '#!/bin/bash\na=(1 2)\n',
  })
  expect(await template('check', 'none.liquid')).toMatchObject({ exitCode: 2 })
})
