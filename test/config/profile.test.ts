import { expect, test } from 'vitest'
import { resolveProfile } from '../../src/config/profile.ts'
import { folders, projectFile, userFile } from './folders.ts'

const two = { profiles: { hpc: { scheduler: 'slurm' }, gpu: { scheduler: 'pbs' } } }

test('the profile is chosen by --profile, configure(), FARCALL_PROFILE, then defaultProfile', async () => {
  const { load } = folders({ [projectFile]: { ...two, defaultProfile: 'hpc' } })
  const env = { FARCALL_PROFILE: 'b' }
  const runtime = { defaultProfile: 'c' }
  expect((await load()).selected).toBe('hpc')
  expect((await load({ env })).selected).toBe('b')
  expect((await load({ env, runtime })).selected).toBe('c')
  expect((await load({ env, runtime, profile: 'd' })).selected).toBe('d')
})

test('a single profile is chosen without being named; of several none is guessed', async () => {
  const one = folders({ [projectFile]: { profiles: { hpc: { scheduler: 'slurm' } } } })
  expect((await one.load()).selected).toBe('hpc')
  const several = folders({ [projectFile]: two })
  await expect(several.load()).rejects.toMatchObject({
    code: 'PROFILE_UNKNOWN',
    message: expect.stringContaining('no profile is chosen; there are hpc, gpu'),
  })
})

test('an unknown profile is an error that lists the names and guesses the one meant', async () => {
  const { load } = folders({ [projectFile]: two })
  const loaded = await load({ env: { FARCALL_PROFILE: 'hcp' } })
  expect(() => resolveProfile(loaded)).toThrow(
    expect.objectContaining({
      code: 'PROFILE_UNKNOWN',
      message:
        "there is no profile 'hcp' (FARCALL_PROFILE); there are hpc, gpu, local\n  hint: did you mean 'hpc'?",
    }),
  )
  expect(() => resolveProfile(loaded, 'toString')).toThrow(
    "there is no profile 'toString'; there are hpc, gpu, local",
  )
})

test('environment variables change the chosen profile and no other', async () => {
  const { load } = folders({ [projectFile]: { ...two, defaultProfile: 'hpc' } })
  const loaded = await load({
    env: { FARCALL_HOST: 'login', FARCALL_GPUS: 'a100:2', FARCALL_CORES: '4', FARCALL_USER: '' },
  })
  expect(resolveProfile(loaded).profile).toMatchObject({
    host: 'login',
    transport: 'ssh',
    resources: { gpus: 'a100:2', cores: 4 },
  })
  expect(resolveProfile(loaded).profile.user).toBeUndefined()
  expect(resolveProfile(loaded, 'gpu').profile.host).toBeUndefined()
})

test.each([
  [{ FARCALL_PORT: '22a' }, 'FARCALL_PORT: expected a number from 1 to 65535, got "22a"'],
  [{ FARCALL_PORT: '0' }, 'FARCALL_PORT: expected a number from 1 to 65535, got 0'],
  [
    { FARCALL_QUEYR_INTERVAL: '5s' },
    'FARCALL_QUEYR_INTERVAL: unknown environment variable, did you mean FARCALL_QUERY_INTERVAL?',
  ],
  [{ FARCALL_BOGUS: 'x' }, 'FARCALL_BOGUS: unknown environment variable'],
  [
    { FARCALL_MEMORY: 'lots' },
    `FARCALL_MEMORY: expected a memory size like '512MB' or '16GB', or a number of bytes, got "lots"`,
  ],
])('the environment %o is refused by the variable’s name', async (env, message) => {
  const error = (await folders()
    .load({ env })
    .catch((reason: unknown) => reason)) as Error
  expect(error.message.split('\n  hint: ')[0]).toBe(message)
})

test('variables of tests, of jobs, and those that a profile names for its secret are let through', async () => {
  const { load } = folders({
    [userFile]: { profiles: { hpc: { scheduler: 'slurm', password: { env: 'FARCALL_HPC_PASSWORD' } } } },
  })
  const env = {
    FARCALL_HPC_PASSWORD: 'hunter2',
    FARCALL_TEST_X: '1',
    FARCALL_BENCH_Y: '1',
    FARCALL_JOB_ID: 'f1',
  }
  const { profile } = resolveProfile(await load({ env }))
  expect(profile.password).toEqual({ env: 'FARCALL_HPC_PASSWORD' })
  expect(JSON.stringify(profile)).not.toContain('hunter2')
})

test('a profile without a scheduler has it found out; with ssh and no host it is refused when it is used', async () => {
  const { load } = folders({
    [projectFile]: {
      profiles: { a: { host: 'x' }, b: { scheduler: 'slurm', transport: 'ssh' } },
      defaultProfile: 'a',
    },
  })
  const loaded = await load()
  expect(resolveProfile(loaded).profile.scheduler).toBe('auto')
  expect(() => resolveProfile(loaded, 'b')).toThrow(
    "profiles.b.host: expected a host name for transport 'ssh', got nothing",
  )
})
