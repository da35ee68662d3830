import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { NodeNeed } from '../../src/core/interpreter.ts'
import { removeFolder } from '../remove-folder.ts'
import {
  finished,
  isRunning,
  type Job,
  makeJob,
  nodeProgram,
  nodeVersion,
  shells,
  temporaryFolder,
  until,
} from './helpers.ts'

const here = nodeVersion.slice(1)
const platform = `linux-${arch()}`
const body = 'return [process.execPath, process.env.PATH, process.env.FARCALL_JOB_NODE]'

const tools =
  'awk cat cut date getconf grep head ls mkdir mv nproc readlink rm sed sh sleep tail tr uname wc'.split(' ')

/** PATH without a node, but for the one that is given. */
function pathWith(node?: string): string {
  const bin = temporaryFolder()
  for (const tool of tools) symlinkSync(join('/usr/bin', tool), join(bin, tool))
  if (node !== undefined) writeFileSync(join(bin, 'node'), `#!/bin/sh\n${node}\n`, { mode: 0o755 })
  return bin
}

const bare = pathWith()
const environment = { variables: { PATH: bare } }

/** A Node as farcall sends it. */
function putRuntime(job: Job, version: string, { glibc = '2.17', node = '' } = {}): string {
  const folder = join(job.workdir, 'node', `${version}-${platform}`)
  mkdirSync(join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'needs'), `${glibc} 1\n`)
  const program = join(folder, 'bin/node')
  if (node) writeFileSync(program, `#!/bin/sh\n${node}\n`, { mode: 0o755 })
  else symlinkSync(nodeProgram, program)
  return program
}

function needOf(job: Job): NodeNeed | undefined {
  const file = join(job.workdir, 'inbox/client-1/fabcdefghijklm.1.0.need')
  if (!existsSync(file)) return undefined
  const [header, text = ''] = readFileSync(file, 'utf8').split('\n')
  expect(header).toBe(`farcall-need ${Buffer.byteLength(text) + 1} 0`)
  return JSON.parse(text)
}

describe.each(shells)('a job without node on PATH, in %s %s', (...shell) => {
  const words = shell.filter((word): word is string => typeof word === 'string')

  it('takes the newest of ours that will do, and gives it to the programs that it starts', async () => {
    const job = makeJob({ shell: words, body, script: { environment } })
    putRuntime(job, '15.0.0')
    putRuntime(job, '16.20.2')
    const program = putRuntime(job, here)
    putRuntime(job, '99.0.0', { glibc: '9.9' })
    expect(await job.run()).toEqual({ code: 0, stdout: '', stderr: '' })
    const [, path, from] = job.member(0).value(0) as string[]
    expect(path).toBe(`${program.slice(0, -'/node'.length)}:${bare}`)
    expect(from).toBe('runtime')
    expect(job.member(0).end).toMatchObject({
      node: nodeVersion,
      interpreter: {
        from: 'runtime',
        abi: expect.any(String),
        platform: { glibc: expect.stringMatching(/^2\./), musl: false },
      },
    })
    expect(needOf(job)).toBeUndefined()
  })

  it('says what it needs, and waits until it is there', async () => {
    const job = makeJob({ shell: words, body, script: { environment } })
    const unfit = putRuntime(job, '98.0.0', { node: 'echo no such thing >&2; exit 1' })
    const running = finished(job.start())
    const need = await until(() => needOf(job), 'a need')
    expect(need).toMatchObject({
      id: 'fabcdefghijklm',
      attempt: 1,
      member: 0,
      platform: {
        arch: { x64: 'x86_64', arm64: 'aarch64' }[arch() as 'x64'],
        stdcxx: expect.stringMatching(/^6\.0\./),
      },
      unfit: `98.0.0-${platform}`,
    })
    expect(need.missed).toMatch(`no node on PATH on`)
    expect(need.missed).toMatch(`${unfit} does not start on`)
    putRuntime(job, here)
    expect(await running).toMatchObject({ code: 0 })
    expect(job.member(0).value(0)).toMatchObject({ 2: 'runtime' })
    expect(needOf(job)).toBeUndefined()
  })

  it('ends with the reason when none can be sent', async () => {
    const job = makeJob({ shell: words, script: { environment } })
    const running = finished(job.start())
    await until(() => needOf(job), 'a need')
    writeFileSync(join(job.folder, 'run.1.0/no-node'), 'there is "none"\n')
    expect(await running).toMatchObject({ code: 1 })
    expect(job.member(0).end).toMatchObject({
      reason: 'interpreter-missing',
      message: expect.stringMatching(/^no node on PATH on .*; there is "none"$/),
      interpreter: { platform: { musl: false } },
    })
    expect(job.member(0).notice?.end).toEqual(job.member(0).end)
  })

  it('loads the newest module that will do', async () => {
    const node = pathWith(`exec '${nodeProgram}' "$@"`)
    const modules = `module() {
      case $1 in
        -t) printf '%s\\n' /opt/modules: node/12.1 nodejs/ 'nodejs/16.3.0-GCC-11(default)' nodes/99 gcc/13 'lang/NodeJS/${here}' nodejs/lts >&2 ;;
        load) echo "$2" >>"$farcall_run/loaded"; PATH='${node}' ;;
      esac
    }`
    const job = makeJob({ shell: words, body, script: { environment: { ...environment, setup: [modules] } } })
    expect(await job.run()).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(job.member(0).value(0)).toMatchObject({ 1: node, 2: `module:lang/NodeJS/${here}` })
    expect(readFileSync(join(job.folder, 'run.1.0/loaded'), 'utf8')).toBe(`lang/NodeJS/${here}\n`)
  })
})

describe('a node on PATH', () => {
  it('that is too old, or does not start, gives way to one of ours; nothing has run before', async () => {
    for (const node of [
      '[ "$1" != --version ] || echo v12.22.1; exit 9',
      'echo GLIBC_2.99 not found >&2; exit 1',
    ]) {
      const script = { environment: { variables: { PATH: pathWith(node) } } }
      const job = makeJob({ body, script })
      putRuntime(job, here)
      expect(await job.run()).toMatchObject({ code: 0 })
      expect(job.member(0).value(0)).toMatchObject({ 2: 'runtime' })
      expect(job.member(0).records.length).toBe(1)
    }
  })

  it('gives way when environment.node asks for another version', async () => {
    const job = makeJob({
      body,
      script: { environment: { variables: { PATH: pathWith('echo v20.1.0') }, node: here } },
    })
    putRuntime(job, '99.1.0')
    putRuntime(job, here)
    expect(await job.run()).toMatchObject({ code: 0 })
    expect(job.member(0).value(0)).toMatchObject({ 2: 'runtime' })
  })

  it("that ends by the user's own doing does not", async () => {
    const job = makeJob({
      top: 'process.exit(3)',
      script: { environment: { variables: { PATH: pathWith(`exec '${nodeProgram}' "$@"`) } } },
    })
    putRuntime(job, here)
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'exit-code',
      exitCode: 3,
      interpreter: { from: 'path' },
    })
  })
})

describe('a job that waits for a node', () => {
  it('waits no longer than half of its time', async () => {
    const job = makeJob({ script: { environment, timeSeconds: 3 } })
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'interpreter-missing',
      message: expect.stringMatching(/no node on PATH .*none was sent within 1 s/),
    })
    expect(needOf(job)).toBeUndefined()
  })

  it('leaves when its folder is gone, and makes nothing anew', async () => {
    const job = makeJob({ script: { environment } })
    const running = finished(job.start())
    await until(() => needOf(job), 'a need')
    removeFolder(job.workdir)
    expect(await running).toMatchObject({ code: 1 })
    expect(existsSync(job.workdir)).toBe(false)
  })

  it.each(shells)('pauses, and ends, with nothing on PATH, in %s %s', async (...shell) => {
    const words = shell.filter((word): word is string => typeof word === 'string')
    const setup = [`PATH='${temporaryFolder()}'`]
    const job = makeJob({ shell: words, script: { environment: { setup }, timeSeconds: 4 } })
    const started = Date.now()
    const child = job.start()
    await finished(child)
    expect(Date.now() - started).toBeGreaterThan(1_500)
    expect(isRunning(child.pid!)).toBe(false)
  })

  it('ends when it is canceled', async () => {
    const job = makeJob({ script: { environment } })
    const child = job.start()
    const running = finished(child)
    await until(() => needOf(job), 'a need')
    process.kill(-child.pid!, 'SIGTERM')
    await running
    expect(job.member(0).end).toMatchObject({ reason: 'by-user' })
    expect(needOf(job)).toBeUndefined()
  })
})

describe('a module that environment.node names', () => {
  it('is loaded, or missed by name', async () => {
    const node = pathWith(`exec '${nodeProgram}' "$@"`)
    const setup = [`module() { [ "$2" = nodejs/20 ] && PATH='${node}'; }`]
    const job = makeJob({ body, script: { environment: { ...environment, setup, node: 'nodejs/20' } } })
    expect(await job.run()).toMatchObject({ code: 0 })
    expect(job.member(0).value(0)).toMatchObject({ 2: 'module:nodejs/20' })

    const other = makeJob({ script: { environment: { ...environment, setup, node: 'nodejs/99' } } })
    await other.run()
    expect(other.member(0).end).toMatchObject({
      reason: 'interpreter-missing',
      message: expect.stringMatching(/module load nodejs\/99 failed on .*: environment\.node names it/),
    })
  })
})
