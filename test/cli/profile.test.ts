import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { builtPackage } from './built.ts'

const { folders, write, farcall } = builtPackage()
const file = '.config/farcall/config.yaml'
const read = () => readFileSync(join(folders.user, file), 'utf8')

describe('farcall profile', () => {
  it('adds, changes, chooses and removes profiles, and keeps all else of the file', async () => {
    write({ [file]: '# mine\nprofiles:\n  old: { scheduler: direct } # stays\n' })
    const added = await farcall([
      ...['profile', 'add', 'hpc', '--host', 'login.hpc.edu', '--scheduler', 'slurm', '--port', '2222'],
      ...['resources.time=1h', 'environment.modules=[gcc, cuda]'],
    ])
    expect(added).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('+   hpc:') })
    expect(read()).toBe(`# mine
profiles:
  old: { scheduler: direct } # stays
  hpc:
    scheduler: slurm
    host: login.hpc.edu
    port: 2222
    resources:
      time: 1h
    environment:
      modules:
        - gcc
        - cuda
`)
    const again = await farcall(['profile', 'add', 'hpc', '--host', 'other'])
    expect(again.stderr).toContain("there is a profile 'hpc' already")
    expect(again.stderr).toContain('farcall profile update hpc')
    expect(again.code).not.toBe(0)

    await farcall(['profile', 'update', 'hpc', 'resources.time=2h', '--unset', 'environment.modules'])
    const dry = await farcall(['profile', 'use', 'hpc', '--dry-run', '--json', '--quiet'])
    expect(dry.stderr).toBe('')
    expect(JSON.parse(dry.stdout)).toMatchObject({
      changes: [{ key: 'defaultProfile', value: 'hpc' }],
      written: false,
    })
    await farcall(['profile', 'use', 'hpc'])
    expect(read()).toContain('      time: 2h\n')
    expect(read()).not.toContain('modules')
    expect(read()).toContain('defaultProfile: hpc\n')
    const { stdout } = await farcall(['profile', 'list', '--json'])
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'old', default: false, scheduler: 'direct' },
      { name: 'hpc', default: true, scheduler: 'slurm', host: 'login.hpc.edu' },
      { name: 'local', from: 'built in' },
    ])
    const before = read()
    expect((await farcall(['profile', 'remove', 'hpc', '--dry-run'])).stderr).toContain('Nothing was written')
    expect(read()).toBe(before)
    await farcall(['profile', 'remove', 'hpc'])
    expect(read()).toBe('# mine\nprofiles:\n  old: { scheduler: direct } # stays\n')
  })

  it('tells what is meant perhaps, and changes nothing then', async () => {
    write({ [file]: 'profiles:\n  hpc: { scheduler: slurm }\n' })
    const before = read()
    const said = async (...args: string[]) => (await farcall(['profile', ...args])).stderr
    expect(await said('update', 'hcp', 'port=1')).toContain("did you mean 'hpc'?")
    expect(await said('update', 'hpc', 'resource.time=1h')).toContain("did you mean 'resources'?")
    expect(await said('update', 'hpc')).toContain('nothing is to be changed')
    expect(await said('use', 'hcp')).toContain("did you mean 'hpc'?")
    expect(await said('add', 'x', '--scheduler', 'slrm')).toContain('SCHEDULER_UNKNOWN')
    expect(await said('update', 'hpc', 'scheduler=slrm')).toContain('SCHEDULER_UNKNOWN')
    expect(await said('import', 'srnx')).toContain('did you mean srunx?')
    expect(read()).toBe(before)
  })

  it('leaves a file that is a program to the person, and says what to write', async () => {
    write({ 'program/farcall.config.mjs': 'export default { profiles: { hpc: { scheduler: "slurm" } } }' })
    const { stderr, code } = await farcall(['profile', 'use', 'hpc', '--project'], { cwd: 'program' })
    expect(stderr).toContain('is a program, which is not changed from outside')
    expect(stderr).toContain('defaultProfile: "hpc"')
    expect(code).not.toBe(0)
  })

  it('imports hosts of the ssh configuration, and profiles of srunx and Clustrix', async () => {
    write({
      [file]: 'profiles: {}\n',
      '.ssh/config': 'Host hpc gpu\n  User me\nHost *.x\n',
      '.config/srunx/config.json': {
        profiles: { dgx: { hostname: 'dgx', username: 'me', key_filename: '/k', port: 22, mounts: [{}] } },
      },
      'clustrix.yml': 'cluster_type: sge\ncluster_host: ge.uni.edu\npassword: hunter2\n',
    })
    const listed = await farcall(['profile', 'import', 'ssh'])
    expect(listed.stdout).toBe('hpc\ngpu\n')
    expect((await farcall(['profile', 'import', 'ssh', 'hcp'])).stderr).toContain("did you mean 'hpc'?")
    await farcall(['profile', 'import', 'ssh', '--all'])
    expect((await farcall(['profile', 'import', 'srunx'])).stderr).toContain('dgx: not taken: mounts')
    const clustrix = await farcall(['profile', 'import', 'clustrix'])
    expect(clustrix.stderr).toContain('ge: not taken: password')
    expect(clustrix.stderr).not.toContain('hunter2')
    const { stdout } = await farcall(['profile', 'list', '--json'])
    expect(
      JSON.parse(stdout).map((one: { name: string; scheduler: string }) => [one.name, one.scheduler]),
    ).toEqual([
      ['hpc', 'auto'],
      ['gpu', 'auto'],
      ['dgx', 'slurm'],
      ['ge', 'sge'],
      ['local', 'direct'],
    ])
    const again = await farcall(['profile', 'import', 'srunx'])
    expect(again.stderr).toContain('dgx: there is a profile of that name already; it is left as it is')
  })
})

describe('farcall config', () => {
  it('shows the line of each value, and what it was put over', async () => {
    write({
      [file]: 'profiles:\n  hpc:\n    scheduler: slurm\n    resources: { time: 1h }\n',
      'over/farcall.config.yaml': 'defaultProfile: hpc\nprofiles:\n  hpc:\n    resources:\n      time: 4h\n',
    })
    const { stdout } = await farcall(['config', 'show', '--origin'], { cwd: 'over' })
    expect(stdout).toMatch(/resources\.time +│ 4h +│ .*over\/farcall\.config\.yaml:5 /)
    expect(stdout).toMatch(/│ +│ 1h +│ not: .*config\.yaml:4 /)
    expect(stdout).toMatch(/scheduler +│ slurm +│ .*config\.yaml:3 /)
  })

  it('sets and takes out keys, of the one file or the other', async () => {
    write({ [file]: 'profiles: {}\n', 'sets/farcall.config.json': '{}' })
    await farcall(['config', 'set', 'profiles.a.scheduler', 'direct', '--project'], { cwd: 'sets' })
    expect(JSON.parse(readFileSync(join(folders.user, 'sets/farcall.config.json'), 'utf8'))).toEqual({
      profiles: { a: { scheduler: 'direct' } },
    })
    await farcall(['config', 'set', 'profiles.b.resources.cores', '4'])
    expect(read()).toContain('cores: 4')
    expect((await farcall(['config', 'unset', 'profiles.b.resources.time'])).stderr).toContain('does not set')
    expect((await farcall(['config', 'set', 'profiles.b.resources.cores', 'many'])).stderr).toContain(
      'expected a whole number',
    )
    await farcall(['config', 'unset', 'profiles.b'])
    expect(read()).not.toContain('cores')
  })

  it('init writes a file that is valid, and never over one', async () => {
    for (const format of ['yaml', 'json']) {
      write({ [`init-${format}/.git/x`]: '' })
      const cwd = `init-${format}`
      const made = await farcall(['config', 'init', '--project', '--format', format], { cwd })
      expect(made.stdout).toBe(`${join(folders.user, cwd, `farcall.config.${format}`)}\n`)
      expect(await farcall(['config', 'validate'], { cwd })).toMatchObject({ code: 0 })
      expect((await farcall(['config', 'init', '--project'], { cwd })).stderr).toContain('is there already')
    }
  })

  it('validate tells all that is wrong, with exit code 3', async () => {
    write({
      'wrong/farcall.config.yaml':
        'profiles:\n  a: { scheduler: slurm, prot: 22, resources: { cores: none } }\n  b: { scheduler: direct }\n',
      'wrong/other.yaml': 'profiles:\n  c: { scheduler: slrm }\n',
    })
    const { stdout, code } = await farcall(['config', 'validate'], { cwd: 'wrong' })
    expect(code).toBe(3)
    expect(stdout).toContain("profiles.a.prot: unknown key, did you mean 'port'?")
    expect(stdout).toContain('profiles.a.resources.cores: expected a whole number')
    const other = await farcall(['config', 'validate', 'other.yaml', '--json'], { cwd: 'wrong' })
    expect(JSON.parse(other.stdout).problems).toMatchObject([{ problem: expect.stringContaining('slrm') }])
  })

  it('paths names the files that are read', async () => {
    write({ [file]: 'profiles: {}\n' })
    const { stdout } = await farcall(['config', 'paths', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ read: [join(folders.user, file)] })
    expect((await farcall(['config', 'paths'])).stdout).toContain('~/.config/farcall/config.yaml')
  })
})

describe('farcall complete', () => {
  const next = async (...words: string[]) =>
    (await farcall(['complete', '--', ...words])).stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(':'))
      .map((line) => line.split('\t')[0])

  it('completes commands, options, profiles and the ids of jobs', async () => {
    write({
      [file]: 'profiles:\n  hpc: { scheduler: slurm }\n',
      'job.mjs':
        "import { cluster } from 'farcall'\nconst job = cluster({}, () => 1)()\nawait job\nconsole.log(job.id)\n",
      'node_modules/farcall/package.json': JSON.stringify({
        name: 'farcall',
        type: 'module',
        exports: './index.js',
      }),
      'node_modules/farcall/index.js': `export * from '${join(folders.package, 'dist/index.js')}'`,
    })
    expect(await next('prof')).toEqual(['profile'])
    expect(await next('profile', 're')).toEqual(['remove'])
    expect(await next('config', 'show', '--or')).toEqual(['--origin'])
    expect(await next('run', '--profile', '')).toEqual(['hpc', 'local'])
    expect(await next('profile', 'use', 'h')).toEqual(['hpc'])
    expect(await next('list', '--state', 'CO')).toEqual(['COMPLETED'])
    expect(await next('monitor', 'jobs', '--until', 'AC')).toEqual(['ACTIVE'])
    expect(await next('profile', 'add', '')).toEqual([])
  })

  it.each(['bash', 'zsh', 'fish'])('prints the script of %s', async (shell) => {
    const { stdout, code } = await farcall(['complete', shell])
    expect(code).toBe(0)
    expect(stdout).toContain('farcall complete --')
  })

  it('knows no other shell', async () => {
    expect((await farcall(['complete', 'tcsh'])).stderr).toContain('bash, zsh, fish')
  })

  it('says nothing of a broken configuration', async () => {
    write({ 'broken/farcall.config.yaml': 'profiles: [' })
    const { stdout, stderr } = await farcall(['complete', '--', 'run', '--profile', ''], { cwd: 'broken' })
    expect([stdout, stderr]).toEqual([expect.stringMatching(/^:\d+\n?$/), ''])
  })
})
