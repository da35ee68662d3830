import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/** Kinds of tests that need more than Node, by the ending of their files; `npm test` says which can run here. */
const kinds = [
  'local',
  'ssh',
  'slurm',
  'sge',
  'kubernetes',
  'containers',
  'package',
  'toolchains',
  'notebooks',
  'examples',
] as const

const seconds = 1000

/** The settings, caches and job records of a test run are its own, never those of whoever runs it. */
const folder = join(tmpdir(), `farcall-test-${process.pid}`)
const env = {
  XDG_CONFIG_HOME: join(folder, 'config'),
  XDG_CACHE_HOME: join(folder, 'cache'),
  XDG_DATA_HOME: join(folder, 'data'),
  XDG_STATE_HOME: join(folder, 'state'),
  FARCALL_TEST_FOLDER: folder,
}

const oxc = { decorator: { legacy: true } }

/** For how long `expect.poll` asks: a second, as it is by itself, is too little where the machine is busy. */
const patience = { poll: { timeout: 30 * seconds } }

/**
 * Real jobs, logins and clusters: one file after the other, since they share a machine of two cores. How long a test may take
 * guards against waiting for ever, and measures nothing: beside two other runs it takes many times as long as alone.
 */
function realThing(name: (typeof kinds)[number], timeout: number, globalSetup: string[] = []) {
  return {
    oxc,
    test: {
      name,
      env,
      include: [`test/**/*.${name}.test.ts`],
      globalSetup: ['test/clusters/setup/built.ts', ...globalSetup],
      fileParallelism: false,
      testTimeout: timeout,
      hookTimeout: timeout,
      expect: patience,
    },
  }
}

export default defineConfig({
  test: {
    env,
    globalSetup: ['test/clusters/setup/run.ts'],
    // Clusters are stopped, which takes its time on a busy machine.
    teardownTimeout: 60 * seconds,
    projects: [
      {
        oxc,
        test: {
          name: 'unit',
          env,
          include: ['test/**/*.test.ts'],
          exclude: [...kinds.map((kind) => `**/*.${kind}.test.ts`), 'test/fixtures/**'],
          // They end in seconds; on a machine where clusters start beside them, some wait for their turn.
          testTimeout: 60 * seconds,
          hookTimeout: 60 * seconds,
          expect: patience,
        },
      },
      realThing('local', 240 * seconds),
      realThing('ssh', 240 * seconds, ['test/clusters/setup/ssh.ts']),
      realThing('slurm', 240 * seconds, ['test/clusters/setup/slurm.ts']),
      realThing('sge', 240 * seconds, ['test/clusters/setup/sge.ts']),
      realThing('kubernetes', 240 * seconds, ['test/clusters/setup/kubernetes.ts']),
      realThing('containers', 240 * seconds, ['test/clusters/setup/engines.ts']),
      realThing('package', 300 * seconds),
      realThing('toolchains', 240 * seconds, ['test/toolchains/setup.ts']),
      realThing('notebooks', 300 * seconds, ['test/notebook/setup.ts']),
      realThing('examples', 300 * seconds, ['test/clusters/setup/ssh.ts']),
    ],
  },
})
