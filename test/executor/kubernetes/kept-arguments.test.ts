import { mkdtempSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/clock.ts'
import { KeptArguments } from '../../../src/executor/kubernetes/kept-arguments.ts'
import { KubernetesExecutor } from '../../../src/executor/kubernetes/kubernetes-executor.ts'
import { payload } from '../../../src/testing/payload.ts'
import { removeFolder } from '../../remove-folder.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-kept-'))
  file = join(folder, 'args.pack')
  writeFileSync(file, 'arguments')
})
afterEach(() => removeFolder(folder))

const isOpen = () =>
  readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file
    } catch {
      return false // the one that listed them
    }
  })

it('a file of arguments is closed when its job could not be submitted', async () => {
  const profile = { scheduler: 'kubernetes' } as const
  const env = { HOME: folder }
  const executor = new KubernetesExecutor({ profile, clock: systemClock, random: () => 0, env })
  const args = { localPath: file, size: 9 }
  await expect(executor.submit({ ...payload('() => 1'), args } as never)).rejects.toMatchObject({
    code: expect.stringMatching(/^CONFIG_/),
  })
  expect(isOpen()).toBe(false)
})

it('and one that another takes the place of', async () => {
  const kept = new KeptArguments()
  kept.keep('f1', { handle: await open(file), size: 9 }, undefined)
  const again = { handle: await open(file), size: 9 }
  kept.keep('f1', again, undefined)
  kept.keep('f1', again, undefined)
  expect((await again.handle.readFile()).toString()).toBe('arguments')
  kept.close()
  await expect.poll(isOpen).toBe(false)
})
