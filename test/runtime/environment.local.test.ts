import { chmodSync, copyFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Environment } from '../../src/core/profile.ts'
import { makeJob, nodeProgram, shells, temporaryFolder } from './helpers.ts'

const standIn = fileURLToPath(new URL('../fixtures/conda/conda', import.meta.url))

/** Runs `return [...]` in a job with this environment; gives its value, or how the member ended. */
async function inJob(
  environment: Environment,
  body: string,
  options: { shell?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
) {
  const job = makeJob({ body, script: { environment: { node: nodeProgram, ...environment } }, ...options })
  const { stderr } = await job.run()
  const { end, err, records } = job.member(0)
  return { value: records.length > 0 ? job.member(0).value(0) : undefined, end, err, stderr, job }
}

function makeConda(name: 'conda' | 'mamba' | 'micromamba') {
  const root = join(temporaryFolder(), 'it is mine')
  const prefix = join(root, 'envs', 'study')
  for (const folder of ['bin', 'conda-meta', 'etc/conda/activate.d'])
    mkdirSync(join(prefix, folder), { recursive: true })
  writeFileSync(join(prefix, 'etc/conda/activate.d/gdal.sh'), 'export GDAL_DATA="$CONDA_PREFIX/share/gdal"\n')
  mkdirSync(join(root, 'bin'))
  copyFileSync(standIn, join(root, 'bin', name))
  chmodSync(join(root, 'bin', name), 0o755)
  return { bin: join(root, 'bin'), prefix }
}

describe.each(shells.map((shell) => ({ shell, called: shell.join(' ') })))('under $called', ({ shell }) => {
  it('PATH is added to at both ends, ~ and $VARIABLES are those of the job', async () => {
    const { value } = await inJob(
      {
        variables: { TOOLS: '/opt/it is mine' },
        path: { prepend: ['~/bin', '$TOOLS/bin'], append: ['/last/é; echo $(id)'] },
      },
      'return process.env.PATH.split(":")',
      { shell, env: { HOME: '/home/me', PATH: '/usr/bin:/bin' } },
    )
    const folders = ['/home/me/bin', '/opt/it is mine/bin', '/usr/bin', '/bin', '/last/é; echo $(id)']
    expect(value).toEqual(folders)
  })

  it('the function runs in its working directory, and makes files by its mask', async () => {
    const cwd = join(temporaryFolder(), `a "$(work)" place`)
    mkdirSync(cwd)
    const write = 'import("node:fs").then((fs) => { fs.writeFileSync("made", ""); return process.cwd() })'
    const { value, job } = await inJob({ cwd, umask: '027' }, `return ${write}`, { shell })
    expect(value).toBe(cwd)
    expect((statSync(join(cwd, 'made')).mode & 0o777).toString(8)).toBe('640')
    // What is farcall's stays private.
    for (const name of ['end', 'out.pack', 'log.out'])
      expect((statSync(join(job.folder, 'run.1.0', name)).mode & 0o777).toString(8)).toBe('600')
  })

  it('without a mask the one of the account is in force, whatever the files of the job have', async () => {
    const cwd = temporaryFolder()
    const before = process.umask(0o002)
    try {
      await inJob({ cwd }, 'return import("node:fs").then((fs) => fs.writeFileSync("made", ""))', { shell })
    } finally {
      process.umask(before)
    }
    expect((statSync(join(cwd, 'made')).mode & 0o777).toString(8)).toBe('664')
  })

  it('a login shell reads the startup files of its kind', async () => {
    const home = temporaryFolder()
    writeFileSync(join(home, '.profile'), 'export FROM_PROFILE=yes\n[ -z "$PS1" ] || export INTERACTIVE=1\n')
    const asked = 'return [process.env.FROM_PROFILE, process.env.FROM_BASH, process.env.INTERACTIVE]'
    const env = { HOME: home, FROM_PROFILE: undefined, FROM_BASH: undefined, PS1: undefined }
    expect((await inJob({}, asked, { shell, env })).value).toEqual([undefined, undefined, undefined])
    expect((await inJob({ loginShell: true }, asked, { shell, env })).value).toEqual([
      'yes',
      undefined,
      undefined,
    ])
    // Bash's own come first, and may be written for bash.
    writeFileSync(join(home, '.bash_profile'), 'words=(yes no); export FROM_BASH=${words[0]}\n')
    expect((await inJob({ loginShell: true }, asked, { shell, env })).value).toEqual([
      undefined,
      'yes',
      undefined,
    ])
    writeFileSync(join(home, '.bash_profile'), 'echo "no licence on this node" >&2; exit 3\n')
    const { end } = await inJob({ loginShell: true }, asked, { shell, env })
    expect(end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringMatching(
        /loginShell: a startup file ended the script with exit code 3 .*no licence on this node/,
      ),
    })
  })

  it.each(['conda', 'mamba', 'micromamba'] as const)(
    'an environment of %s is activated by its name',
    async (name) => {
      const { bin, prefix } = makeConda(name)
      const asked = 'return [process.env.CONDA_PREFIX, process.env.GDAL_DATA, process.env.PATH.split(":")[0]]'
      const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: '/nowhere' }
      const { value, end } = await inJob({ conda: 'study' }, asked, { shell, env })
      expect(value, JSON.stringify(end)).toEqual([prefix, `${prefix}/share/gdal`, `${prefix}/bin`])
    },
  )

  it('what fails is told with its words: conda, venv, working directory, a variable that is not set', async () => {
    const { bin, prefix } = makeConda('conda')
    const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: '/nowhere', SCRATCH: undefined }
    const told = async (environment: Environment, words: RegExp) => {
      const { end } = await inJob(environment, 'return 1', { shell, env })
      expect(end).toMatchObject({ reason: 'launch-failed', message: expect.stringMatching(words) })
    }
    await told(
      { conda: 'stduy' },
      /^conda activate stduy failed on .*EnvironmentNameNotFound: .*environment: stduy/,
    )
    await told(
      { conda: '/no/such' },
      /^conda activate \/no\/such failed .*Not a conda environment: \/no\/such/,
    )
    await told({ venv: '/no/such' }, /^environment\.venv failed .*no bin\/activate in \/no\/such/)
    await told({ cwd: '/no/such' }, /^environment\.cwd failed .*\/no\/such/)
    await told({ cwd: '$SCRATCH/data' }, /^environment\.cwd .*SCRATCH: is not set on the cluster/)
    await told(
      { path: { prepend: ['$SCRATCH/bin'] } },
      /^environment\.path .*SCRATCH: is not set on the cluster/,
    )
    expect((await inJob({ conda: prefix }, 'return process.env.CONDA_PREFIX', { shell, env })).value).toBe(
      prefix,
    )
  })

  it('the order is: variables, what is activated, PATH, setup lines; a variable of yours stays what you say', async () => {
    const { bin, prefix } = makeConda('conda')
    writeFileSync(
      join(prefix, 'etc/conda/activate.d/more.sh'),
      'export OMP_NUM_THREADS=1 LD_LIBRARY_PATH="$CONDA_PREFIX/lib:$LD_LIBRARY_PATH"\n',
    )
    const { value } = await inJob(
      {
        variables: { OMP_NUM_THREADS: '8', LD_LIBRARY_PATH: '/my/lib', PATH: `${bin}:/usr/bin:/bin` },
        conda: 'study',
        path: { prepend: ['/mine'] },
        setup: ['SEEN=$PATH', 'export SEEN', 'umask 077'],
      },
      'return [process.env.OMP_NUM_THREADS, process.env.LD_LIBRARY_PATH, process.env.SEEN, process.umask()]',
      { shell },
    )
    expect(value).toEqual(['8', `${prefix}/lib:/my/lib`, `/mine:${prefix}/bin:${bin}:/usr/bin:/bin`, 0o077])
  })
})

it('no conda is found: it says where it looked', async () => {
  const { end } = await inJob({ conda: 'study' }, 'return 1', {
    env: { PATH: '/usr/bin:/bin', HOME: '/nowhere' },
  })
  expect(end).toMatchObject({
    message: expect.stringMatching(/no conda, mamba or micromamba on PATH or in the usual/),
  })
})

it('a conda of the home folder is found without PATH', async () => {
  const { bin, prefix } = makeConda('conda')
  const home = temporaryFolder()
  mkdirSync(join(home, 'miniforge3/bin'), { recursive: true })
  mkdirSync(join(home, 'miniforge3/envs'))
  copyFileSync(join(bin, 'conda'), join(home, 'miniforge3/bin/conda'))
  chmodSync(join(home, 'miniforge3/bin/conda'), 0o755)
  const { value } = await inJob({ conda: prefix }, 'return process.env.CONDA_EXE', {
    env: { PATH: '/usr/bin:/bin', HOME: home },
  })
  expect(value).toBe(join(home, 'miniforge3/bin/conda'))
})
