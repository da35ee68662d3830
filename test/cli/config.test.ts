import { expect, test } from 'vitest'
import { builtPackage } from './built.ts'

const { folders, write, farcall } = builtPackage()

const file = {
  'project/farcall.config.yaml': `defaultProfile: hpc
profiles:
  hpc:
    scheduler: slurm
    host: login.hpc.edu
    password: { env: HPC_PASSWORD }
    resources: { partition: short, time: 1h }
    environment: { modules: [gcc, cuda], variables: { OMP_NUM_THREADS: '8', API_TOKEN: hunter2 } }
  here: { scheduler: direct }
`,
}

test('config show --json gives each value with its source, and no secret', async () => {
  write(file)
  const env = { FARCALL_PARTITION: 'debug', HPC_PASSWORD: 'hunter3' }
  const { stdout, stderr, code } = await farcall(['config', 'show', '--json'], { cwd: 'project', env })
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
  const project = { kind: 'project', name: `${folders.user}/project/farcall.config.yaml` }
  expect(JSON.parse(stdout)).toMatchObject({
    profile: 'hpc',
    files: [project.name],
    values: {
      profile: { value: 'hpc', source: project },
      scheduler: { value: 'slurm', source: project },
      'password.env': { value: 'HPC_PASSWORD', source: project },
      'resources.partition': { value: 'debug', source: { kind: 'environment', name: 'FARCALL_PARTITION' } },
      'environment.modules': { value: ['gcc', 'cuda'], source: project },
      keep: { value: 'failed', source: { kind: 'default' } },
    },
  })
  expect(stdout).not.toMatch(/hunter/)
})

test('config show prints a table to stdout', async () => {
  write(file)
  const { stdout, stderr, code } = await farcall(['config', 'show', '--profile', 'here'], { cwd: 'project' })
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
  expect(stdout).toMatch(/setting +│ value +│ from/)
  expect(stdout).toMatch(/profile +│ here +│ --profile/)
  expect(stdout).toMatch(/scheduler +│ direct +│ .*farcall\.config\.yaml/)
  expect(stdout).toMatch(/workdir +│ \$HOME\/\.farcall +│ default/)
})

test('a farcall error is told with code, hint and page, without a stack unless asked for', async () => {
  write({ 'bad/farcall.config.yaml': 'profiles: { hpc: { scheduler: slurm, port: 22a } }' })
  const told = `error CONFIG_INVALID: farcall.config.yaml: profiles.hpc.port: expected a number from 1 to 65535, got "22a"
  hint: all keys are listed in docs/configuration.md
  see: docs/errors/CONFIG_INVALID.md
`
  expect(await farcall(['config', 'show'], { cwd: 'bad' })).toMatchObject({
    stdout: '',
    stderr: told,
    code: 3,
  })
  const { stderr } = await farcall(['--verbose', 'config', 'show'], { cwd: 'bad' })
  expect(stderr.startsWith(told)).toBe(true)
  expect(stderr).toMatch(/\n +at /)
})

test('an unknown profile is told with the names there are', async () => {
  write(file)
  const { stderr, code } = await farcall(['config', 'show', '--profile', 'hcp'], { cwd: 'project' })
  expect(code).toBe(3)
  expect(stderr).toMatch(
    /^error PROFILE_UNKNOWN: there is no profile 'hcp' \(--profile\); there are hpc, here, local\n/,
  )
})

test.each([
  [['config', 'show', '--jsno'], "unknown option '--jsno'"],
  [['cofnig'], "unknown command 'cofnig'"],
  [['run'], "missing required argument 'file'"],
])('%o is a usage error with exit code 2', async (args, message) => {
  const { stdout, stderr, code } = await farcall(args)
  expect({ stdout, code }).toEqual({ stdout: '', code: 2 })
  expect(stderr).toContain(`error: ${message}`)
})

test('--version and --help go to stdout', async () => {
  expect(await farcall(['--version'])).toMatchObject({
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: '',
    code: 0,
  })
  const help = await farcall(['--help'])
  expect(help).toMatchObject({ stderr: '', code: 0 })
  expect(help.stdout).toContain('Examples:\n  farcall run study.ts')
  expect((await farcall(['run', '--help'])).stdout).toContain(
    'farcall run --profile hpc study.ts -- --seed 42',
  )
})
