import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FarcallError } from '../../src/core/errors.ts'
import type { Command, CommandResult } from '../../src/core/shell.ts'
import { direct } from '../../src/scheduler/direct.ts'
import { removeFolder } from '../remove-folder.ts'

let folder: string
const started: string[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-direct-'))
})

afterEach(async () => {
  await run(direct.cancel(started.splice(0)))
  removeFolder(folder)
})

const pipes = Array.from(
  { length: 13 },
  (_, fd) => ([1, 2, 12].includes(fd) ? 'pipe' : 'ignore') as 'pipe' | 'ignore',
)

/** Ends when the command's pipes are closed, as an ssh channel does: a job that holds one, 12 too, would hang it. */
function run({ argv }: Command, env: NodeJS.ProcessEnv = process.env): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: pipes, env, detached: true })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout!.on('data', (bytes) => out.push(bytes))
    child.stderr!.on('data', (bytes) => err.push(bytes))
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({ exitCode: code ?? -1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }),
    )
  })
}

async function start(body: string, env?: NodeJS.ProcessEnv): Promise<string> {
  const file = join(folder, "job of 'mine' $x.sh")
  writeFileSync(file, body.startsWith('#!') ? body : `#!/bin/sh\n${body}\n`)
  const id = direct.parseSubmit(await run(direct.submit(file, { log: join(folder, 'the log') }), env))
  started.push(id)
  return id
}

const log = () => readFileSync(join(folder, 'the log'), 'utf8')
const query = async (...ids: string[]) => direct.parseQuery(await run(direct.query(ids)))
const pidOf = (id: string) => Number(id.split(':')[2])
/** pid -> state, group and session, as /proc tells. */
function stat(pid: number): { state: string; group: number; session: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return { state: fields[0]!, group: Number(fields[2]), session: Number(fields[3]) }
  } catch {
    return undefined
  }
}
const ended = (pid: number) => ['Z', undefined].includes(stat(pid)?.state)

describe('a process', () => {
  test('starts as leader of a session of its own, is seen while it runs, and is absent after', async () => {
    const id = await start(`while [ ! -e '${folder}/go' ]; do sleep 0.05; done; echo done`)
    expect(id).toMatch(/^[\w.-]+:[0-9a-f-]{36}:\d+:\d+$/)
    const pid = pidOf(id)
    expect(stat(pid)).toMatchObject({ group: pid, session: pid })
    expect(await query(id)).toEqual(new Map([[id, { status: { state: 'ACTIVE', native: 'alive' } }]]))
    writeFileSync(join(folder, 'go'), '')
    await expect.poll(() => query(id)).toEqual(new Map())
    expect(log()).toBe('done\n')
  })

  test('has an id even when it is over at once', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await start('exit 0')
      await expect.poll(() => query(id)).toEqual(new Map())
    }
  })

  test('holds no file of ours open: stdin is empty, output goes to the log', async () => {
    await start('cat; readlink /proc/$$/fd/*; echo oops >&2; echo END')
    await expect.poll(log).toMatch(/END/)
    expect(log()).not.toMatch(/pipe:|socket:/)
    expect(log()).toMatch(/oops/)
    expect(log()).toContain('/dev/null')
  })

  test('runs under the interpreter that its script names', async () => {
    await start('#!/usr/bin/env bash\necho "${BASH_VERSION:+bash}"\n')
    await expect.poll(log).toBe('bash\n')
  })

  test('does not get NODE_OPTIONS of who submits', async () => {
    await start('echo "[$NODE_OPTIONS]"', { ...process.env, NODE_OPTIONS: '--no-warnings' })
    await expect.poll(log).toBe('[]\n')
  })
})

describe('cancel', () => {
  test('ends the whole group', async () => {
    const id = await start(`sleep 300 & echo $!; wait`)
    await expect.poll(log).toMatch(/\d\n/)
    expect((await run(direct.cancel([id]))).exitCode).toBe(0)
    await expect.poll(() => ended(Number(log()))).toBe(true)
    await expect.poll(() => query(id)).toEqual(new Map())
  })

  test('does not wait for what ignores TERM, and kills that later, in other process groups too', async () => {
    // What kills later counts its seconds by `sleep`: here they go by only once it is let on.
    const [bin, on] = [join(folder, 'bin'), join(folder, 'on')]
    mkdirSync(bin)
    const held = `#!/bin/sh\nPATH='${process.env['PATH']}'\nuntil [ -e '${on}' ]; do sleep 0.05; done\nexec sleep "$@"\n`
    writeFileSync(join(bin, 'sleep'), held, { mode: 0o755 })
    const id = await start(
      `#!/bin/bash\ntrap '' TERM; set -m; sleep 300 & echo $!; while :; do sleep 0.1; done\n`,
    )
    await expect.poll(log).toMatch(/\d\n/)
    const child = Number(log())
    expect(stat(child)!.group).not.toBe(pidOf(id))
    await run(direct.cancel([id]), { ...process.env, PATH: `${bin}:${process.env['PATH']}` })
    expect((await query(id)).size).toBe(1)
    writeFileSync(on, '')
    await expect.poll(() => ended(pidOf(id)) && ended(child)).toBe(true)
  })

  test('touches nothing whose start time is another, and takes what is gone for done', async () => {
    const id = await start('sleep 300')
    const recurred = id.replace(/\d+$/, (start) => String(Number(start) + 1))
    const rebooted = id.replace(/:[0-9a-f-]{36}:/, ':00000000-0000-0000-0000-000000000000:')
    expect((await run(direct.cancel([recurred, rebooted]))).exitCode).toBe(0)
    expect(await query(recurred, rebooted)).toEqual(new Map())
    expect((await query(id)).size).toBe(1)
  })

  test('says when the process is another machine’s', async () => {
    const id = await start('sleep 300')
    const elsewhere = id.replace(/^[^:]+/, 'login7')
    const result = await run(direct.cancel([elsewhere]))
    expect(result.exitCode).toBe(1)
    expect(result.stderr).toContain('runs on login7')
    expect((await query(elsewhere)).get(elsewhere)?.status).toMatchObject({
      state: 'ACTIVE',
      message: expect.stringContaining('login7'),
    })
  })
})

test('a script that is not there, and a machine that is no Linux, are refused in words', async () => {
  const missing = await run(direct.submit(join(folder, 'none.sh'), {}))
  expect(() => direct.parseSubmit(missing)).toThrow(/none\.sh cannot be read/)
  const noTools = await run({
    argv: ['/usr/bin/env', 'PATH=/nonexistent', '/bin/sh', ...direct.submit('/x', {}).argv.slice(1)],
  })
  expect(() => direct.parseSubmit(noTools)).toThrow(/direct needs Linux/)
})

test('parsers give a value or a FarcallError for any text', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.constantFrom(0, 1, 127), (stdout, stderr, exitCode) => {
      for (const parse of [direct.parseSubmit, direct.parseQuery])
        try {
          parse({ stdout: Buffer.from(stdout), stderr, exitCode })
        } catch (error) {
          expect(error).toBeInstanceOf(FarcallError)
        }
    }),
  )
})
