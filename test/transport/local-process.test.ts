import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it, vi } from 'vitest'
import { createLocalTransport } from '../../src/transport/local.ts'

afterEach(() => vi.restoreAllMocks())

/** A command that no signal of ours reaches; ended for good by the function given. */
function deaf(code: string) {
  const { kill } = process
  const pids = new Set<number>()
  vi.spyOn(process, 'kill').mockImplementation((pid) => {
    pids.add(pid)
    if (code !== '') throw Object.assign(new Error(`kill ${code}`), { code })
    return true
  })
  return () => {
    for (const pid of pids) kill.call(process, pid, 'SIGKILL')
  }
}

it.each([
  ['hangs in a file system', ''],
  ['runs as somebody else', 'EPERM'],
])('a command that cannot be ended, since it %s, is waited for no longer than its time', async (_, code) => {
  const local = createLocalTransport()
  const end = deaf(code)
  const begun = Date.now()
  const running = local.exec({ argv: ['sleep', '4711'] }, { timeoutMs: 100 })
  await expect(running).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' })
  expect(Date.now() - begun).toBeLessThan(30_000)
  await sleep(50)
  end()
})

it('and nor is one that is given up', async () => {
  const local = createLocalTransport()
  const end = deaf('EPERM')
  const enough = new AbortController()
  const running = local.exec({ argv: ['sleep', '4711'] }, { signal: enough.signal })
  enough.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
  end()
})
