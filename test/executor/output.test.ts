import { expect, it } from 'vitest'
import type { CommandResult } from '../../src/core/shell.ts'
import { outputOf } from '../../src/executor/files/output.ts'
import { createLocalTransport } from '../../src/transport/local.ts'

it('of whoever stops early nothing is left that waits', async () => {
  const local = createLocalTransport()
  let running: Promise<CommandResult> | undefined
  const output = outputOf((onStdout, signal) => {
    running = local.exec({ argv: ['echo', 'words'] }, { onStdout, signal, timeoutMs: 3_600_000 })
    return running
  })
  for await (const chunk of output) {
    expect(Buffer.from(chunk).toString()).toBe('words\n')
    break
  }
  // The command has its end, and its timer is gone with it.
  await expect(running).rejects.toThrow('no longer wanted')
})

it('nor where more comes after that', async () => {
  const local = createLocalTransport()
  let running: Promise<CommandResult> | undefined
  const argv = ['sh', '-c', 'while :; do head -c 100000 /dev/zero; done']
  const output = outputOf((onStdout, signal) => {
    running = local.exec({ argv }, { onStdout, signal, timeoutMs: 3_600_000 })
    return running
  })
  let chunks = 0
  for await (const _ of output) if (++chunks === 3) break
  await expect(running).rejects.toThrow('no longer wanted')
})
