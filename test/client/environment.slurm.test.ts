import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure, type Environment, JobFailedError } from '../../src/index.ts'
import { unpackLmod } from '../clusters/lmod.ts'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { makeJob, nodeProgram, shells } from '../runtime/helpers.ts'
import { onLogin } from './left.ts'

// The nodes of these clusters are this machine, so what lies here lies there.
const shared = mkdtempSync(join(tmpdir(), 'farcall-modules-'))
chmodSync(shared, 0o755)
afterAll(() => removeFolder(shared))

const lmod = unpackLmod(join(shared, 'lmod'))
const modulefiles = join(shared, 'modulefiles')
const files = {
  'gcc/12': 'setenv GCC_HOME /opt/gcc/12\nprepend-path PATH /opt/gcc/12/bin',
  'openmpi/4': 'prereq gcc/12\nsetenv OMP_NUM_THREADS 1\nprepend-path LD_LIBRARY_PATH /opt/openmpi/lib',
  'clash/1': 'conflict gcc',
  'broken/1': 'puts stderr "the licence server is down"\nexit 1',
}
for (const [name, text] of Object.entries(files)) {
  mkdirSync(join(modulefiles, name, '..'), { recursive: true })
  writeFileSync(join(modulefiles, name), `#%Module1.0\n${text}\n`)
}

/** The two, each as a site has it. */
const kinds = {
  'Environment Modules': { MODULEPATH: modulefiles, MODULESHOME: '/usr/share/modules' },
  Lmod: { MODULEPATH: modulefiles, MODULESHOME: lmod, LMOD_PKG: lmod },
} as const

describe.each(Object.entries(kinds))('%s', (kind, variables) => {
  const asked =
    'return [process.env.LOADEDMODULES, process.env.GCC_HOME, process.env.OMP_NUM_THREADS, process.env.LD_LIBRARY_PATH]'
  const start = (environment: Environment, shell: readonly string[]) =>
    makeJob({
      body: asked,
      shell,
      env: { ...variables, LOADEDMODULES: undefined, _LMFILES_: undefined },
      script: { environment: { node: nodeProgram, ...environment } },
    })

  it.each(shells.map((shell) => ({ shell, called: shell.join(' ') })))('under $called', async ({ shell }) => {
    const job = start(
      { modules: ['gcc/12', 'openmpi/4'], variables: { OMP_NUM_THREADS: '8', LD_LIBRARY_PATH: '/mine' } },
      shell,
    )
    await job.run()
    expect(job.member(0).records, job.member(0).err).toHaveLength(1)
    expect(job.member(0).value(0)).toEqual(['gcc/12:openmpi/4', '/opt/gcc/12', '8', '/opt/openmpi/lib:/mine'])

    const told = async (environment: Environment) => {
      const failing = start(environment, shell)
      await failing.run()
      return failing.member(0).end
    }
    const unknown =
      kind === 'Lmod' ? /module\(s\) are unknown: "gc\/12"/ : /Unable to locate a modulefile for 'gc\/12'/
    expect(await told({ modules: ['gcc/12', 'gc/12'] })).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringMatching(new RegExp(`^module load gc/12 failed on .*${unknown.source}`)),
    })
    expect(await told({ modules: ['broken/1'] })).toMatchObject({
      message: expect.stringMatching(/^module load broken\/1 failed on .*the licence server is down/),
    })
    const both = await told({ modules: ['gcc/12', 'clash/1'] })
    expect(both?.message).toMatch(/^module load clash\/1 failed on .*gcc/)

    // A module of the login that is in the way.
    const setup = ['export SEEN="$LOADEDMODULES"']
    const purged = makeJob({
      body: 'return [process.env.SEEN, process.env.GCC_HOME]',
      shell,
      env: variables,
      script: { environment: { node: nodeProgram, purge: true, setup } },
    })
    const text = `module load gcc/12; exec "$@"`
    const init = `. ${variables.MODULESHOME}/init/sh; ${text}`
    await run('sh', ['-c', init, 'sh', ...shell, `${purged.folder}/job.sh`], {
      env: { ...process.env, ...variables },
    })
    expect(purged.member(0).value(0)).toEqual(['', undefined])
  })
})

for (const [cluster_, { sshd }] of Object.entries(inject('slurms'))) {
  const { host, port, user, identityFile, knownHosts } = sshd
  const login = { host, port, user, identityFile, knownHosts } as const
  const slurm = { scheduler: 'slurm', ...login, queryInterval: '2s', grace: '20s' } as const
  const places = { slurm, ssh: { scheduler: 'direct', ...login } } as const

  describe(`on Slurm (${cluster_}) and by ssh`, () => {
    beforeAll(() => configure({ profiles: places }))
    afterAll(close)

    it.each(['slurm', 'ssh'] as const)(
      '%s: modules, a venv, PATH, working directory and mask are in force',
      async (profile) => {
        onLogin(sshd, '[ -d venv ] || python3 -m venv --without-pip venv; mkdir -p "it is mine"')
        const environment: Environment = {
          variables: { MODULEPATH: modulefiles, OMP_NUM_THREADS: '4' },
          modules: ['gcc/12', 'openmpi/4'],
          venv: '~/venv',
          path: { prepend: ['$GCC_HOME/extra'], append: ['~/late'] },
          cwd: '~/it is mine',
          umask: '007',
        }
        const seen = await cluster({ profile, environment }, async () => {
          const { execFileSync } = await import('node:child_process')
          const { statSync, writeFileSync } = await import('node:fs')
          writeFileSync('made', '')
          const folders = process.env['PATH']!.split(':')
          return {
            modules: process.env['LOADEDMODULES'],
            python: execFileSync('python3', ['-c', 'import sys; print(sys.prefix)'], {
              encoding: 'utf8',
            }).trim(),
            first: folders[0],
            last: folders.at(-1),
            threads: process.env['OMP_NUM_THREADS'],
            mode: (statSync('made').mode & 0o777).toString(8),
          }
        })()
        const home = onLogin(sshd, 'pwd').trim()
        expect(seen).toEqual({
          modules: 'gcc/12:openmpi/4',
          python: `${home}/venv`,
          first: '/opt/gcc/12/extra',
          last: `${home}/late`,
          threads: '4',
          mode: '660',
        })
        expect(onLogin(sshd, 'stat -c %a "it is mine/made"; rm "it is mine/made"').trim()).toBe('660')
        const missing = await cluster(
          { profile, environment: { ...environment, modules: ['gcc/13'] } },
          () => 1,
        )().catch((error: unknown) => error)
        expect(missing).toBeInstanceOf(JobFailedError)
        expect((missing as Error).message).toMatch(
          /could not be started on .*module load gcc\/13 failed on .*gcc\/13/,
        )
      },
    )

    it('slurm: files have the mask of the account', async () => {
      const mask = onLogin(sshd, 'umask').trim()
      expect(await cluster({ profile: 'slurm' }, () => process.umask())()).toBe(Number.parseInt(mask, 8))
    })

    it('slurm: a secret is there again when Slurm requeues, in each member of an array, and is gone afterwards', async () => {
      const token = `s3cret-${process.pid}`
      process.env['TEST_SECRET'] = token
      const options = { profile: 'slurm', requeue: true, environment: { secrets: ['TEST_SECRET'] } } as const
      const waits = cluster({ ...options, chunk: 1 }, async (k: number) => {
        if (k === 0 && !process.env['SLURM_RESTART_COUNT'])
          await new Promise((resolve) => setTimeout(resolve, 600_000))
        return [process.env['TEST_SECRET']!.length, Number(process.env['SLURM_RESTART_COUNT'] ?? 0)]
      })
      const jobs = waits.map([0, 1, 2])
      const one = jobs.job(1)
      await (await one).job
      const { job } = await jobs.job(0)
      for await (const { state } of job.updates()) if (state === 'ACTIVE') break
      const file = `.farcall/jobs/${jobs.id}/submit.1/secrets`
      expect(onLogin(sshd, `stat -c %a ${file}`).trim()).toBe('600')
      // Slurm keeps a copy of the script, and so may others.
      expect(onLogin(sshd, `scontrol write batch_script ${jobs.nativeId}_0 -`)).not.toContain(token)
      onLogin(sshd, `scontrol requeue ${jobs.nativeId}_0`)
      expect(await jobs).toEqual([
        [token.length, 1],
        [token.length, 0],
        [token.length, 0],
      ])
      await close()
      expect(onLogin(sshd, `grep -rl ${token} .farcall || true`)).toBe('')
      delete process.env['TEST_SECRET']
    }, 180_000)
  })
}
