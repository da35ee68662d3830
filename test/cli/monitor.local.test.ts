import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { root, startProgram } from '../client/helpers.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-monitor-'))
const env = {
  ...process.env,
  XDG_CONFIG_HOME: folder,
  XDG_STATE_HOME: folder,
  XDG_DATA_HOME: folder,
  TZ: 'UTC',
} as Record<string, string>
/** What the profile says, and nothing of the environment. */
const program = (name: string, ...args: string[]) => startProgram(name, args, env)

beforeAll(() => {
  mkdirSync(join(folder, 'farcall'))
  const here = { scheduler: 'direct', workdir: `${folder}/work`, queryInterval: '1s' }
  const slow = { ...here, queryInterval: '1m' }
  writeFileSync(
    join(folder, 'farcall/config.json'),
    JSON.stringify({ defaultProfile: 'here', profiles: { here, slow } }),
  )
})
afterAll(() => removeFolder(folder))

function farcall(...args: string[]) {
  const child = spawn(process.execPath, [`${root}dist/cli/main.js`, ...args], { env, cwd: folder })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  return { child, said, ended }
}
async function done(...args: string[]) {
  const { said, ended } = farcall(...args)
  return { code: await ended, ...said }
}

describe('farcall monitor cluster --notify', () => {
  it('prints its reports, and sends each to those whom the configuration names', async () => {
    const heard: { url: string; body: string }[] = []
    const server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        heard.push({ url: request.url!, body })
        response.end('ok')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const own = join(folder, 'told')
    mkdirSync(own)
    writeFileSync(
      join(own, 'farcall.config.json'),
      JSON.stringify({ notify: [{ type: 'webhook', url: `http://127.0.0.1:${port}/hook` }] }),
    )
    const args = ['monitor', 'cluster', '--schedule', '2s', '--json']
    const start = (...more: string[]) => {
      const child = spawn(process.execPath, [`${root}dist/cli/main.js`, ...args, ...more], { env, cwd: own })
      const lines: string[] = []
      createInterface(child.stdout).on('line', (line) => lines.push(line))
      return { child, lines, ended: new Promise<number | null>((resolve) => child.on('close', resolve)) }
    }
    try {
      const told = start('--notify')
      await vi.waitFor(() => expect(told.lines.length).toBeGreaterThanOrEqual(2), 60_000)
      told.child.kill('SIGINT')
      expect(await told.ended).toBe(130)
      expect(heard.length).toBeGreaterThanOrEqual(2)
      expect(heard.map(({ url }) => url)).toEqual(heard.map(() => '/hook'))
      const { event, profile, facts } = JSON.parse(heard[0]!.body)
      expect({ event, profile, facts }).toEqual({
        event: 'report',
        profile: 'here',
        // Servers are told milliseconds, as callbacks are.
        facts: JSON.parse(told.lines[0]!, (key, value) =>
          key === 'time' || key === 'since' ? Date.parse(value) : value,
        ),
      })
      // Nothing that it sent is still on its way.
      await expect
        .poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count))))
        .toBe(0)
      const before = heard.length
      const untold = start()
      await vi.waitFor(() => expect(untold.lines.length).toBeGreaterThanOrEqual(1), 60_000)
      untold.child.kill('SIGTERM')
      expect(await untold.ended).toBe(143)
      expect(heard.length).toBe(before)
    } finally {
      server.close()
    }
  })
})

describe('farcall resources', () => {
  it('is a table of 80 columns, or JSON', async () => {
    const { code, stdout, stderr } = await done('resources')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [heads, line] = stdout.split('\n')
    expect(heads).toMatch(/^PARTITION +NODES +IDLE +DOWN +DRAINED +CORES +MEMORY +GPUS/)
    expect(line).toContain(`${hostname()}*`)
    for (const one of stdout.split('\n')) expect(one.length).toBeLessThanOrEqual(80)
    const json = await done('resources', '--format', 'json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      profile: 'here',
      notes: [],
      partitions: [{ name: hostname(), nodes: { total: 1 } }],
    })
  })

  it('knows no other partition, no other format, and no queue where there is none', async () => {
    const unknown = await done('resources', '--partition', 'gpu')
    expect(unknown.code).not.toBe(0)
    expect(unknown.stderr).toContain("partition: there is no 'gpu'")
    expect((await done('resources', '--format', 'xml')).code).toBe(2)
    const queue = await done('queue')
    expect(queue.code).not.toBe(0)
    expect(queue.stderr).toContain('has no queue')
  })
})

describe('farcall monitor jobs', () => {
  it('tells each change once, and ends with the jobs', async () => {
    const { firstLine: id, kill } = await program('long.ts', '2500')
    kill()
    const { code, stdout, stderr } = await done('monitor', 'jobs', id.slice(0, 6), '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const changes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; status: { state: string } })
    const states = changes.map(({ status }) => status.state)
    expect(new Set(changes.map((change) => change.id))).toEqual(new Set([id]))
    expect(states.at(-1)).toBe('COMPLETED')
    expect(new Set(states).size).toBe(states.length)
    const again = await done('monitor', 'jobs', id)
    expect(again.stdout).toMatch(new RegExp(`^\\d\\d:\\d\\d:\\d\\d  ${id}  \\S+  COMPLETED\\n$`))
  })

  it('gives up after its time, and ends cleanly by a signal', async () => {
    const { firstLine: id, kill } = await program('long.ts', '120000')
    kill()
    const timed = await done('monitor', 'jobs', '--all', '--timeout', '2')
    expect(timed.code).toBe(124)
    expect(timed.stderr).toContain('the time is over; 1 have not ended')
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const { child, said, ended } = farcall('monitor', 'jobs', id)
      await vi.waitUntil(() => said.stdout.includes(id), 60_000)
      child.kill(signal)
      expect(await ended).toBe(code)
      expect(said.stderr).toBe('')
    }
    const until = await done('monitor', 'jobs', id, '--until', 'active')
    expect(until.code).toBe(0)
    expect(until.stdout).toMatch(/ACTIVE\n$/)
    const executor = openExecutor({ scheduler: 'direct', workdir: `${folder}/work` }, systemClock)
    await executor.find([id])
    await executor.cancel([{ id }])
    await executor[Symbol.asyncDispose]()
  })

  it('is told what it is asked for wrongly', async () => {
    expect(await done('monitor', 'jobs')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('which jobs? Give their ids, or --all'),
    })
    const unknown = await done('monitor', 'jobs', 'fabcdefghijklm')
    expect(unknown.stderr).toContain('JOB_UNKNOWN')
    const eager = await done('monitor', 'cluster', '--schedule', '5s', '--profile', 'slow')
    expect(eager.code).not.toBe(0)
    expect(eager.stderr).toContain('every 60 s (queryInterval, set in ')
    expect(eager.stderr).toContain(join(folder, 'farcall/config.json'))
  })
})

describe('farcall monitor resources and cluster', () => {
  it('do not wait for GPUs that there are not', async () => {
    expect((await done('monitor', 'resources')).code).toBe(2)
    const none = await done('monitor', 'resources', '--min-gpus', '99')
    expect(none.stderr).toContain('99 are never free')
  })

  it('report at once, then as scheduled, until a signal', async () => {
    const { child, said, ended } = farcall('monitor', 'cluster', '--schedule', '1s', '--json')
    await vi.waitUntil(() => said.stdout.split('\n').length > 2, 60_000)
    child.kill('SIGTERM')
    expect(await ended).toBe(143)
    const [first, second] = said.stdout.split('\n').map((line) => line && JSON.parse(line))
    expect(first).toMatchObject({ profile: 'here', partitions: [{ name: hostname() }] })
    expect(first).not.toHaveProperty('queue')
    expect(Date.parse(second.time) - Date.parse(first.time)).toBeGreaterThanOrEqual(1000)
  })
})
