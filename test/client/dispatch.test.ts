import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Snapshot } from '../../src/capture/types.ts'
import { closeSessions } from '../../src/client/session/sessions.ts'
import { Submission } from '../../src/client/submission/submission.ts'
import { dispatch } from '../../src/client/submit/dispatch.ts'
import type { Request } from '../../src/client/submit/submit.ts'
import { newJobId } from '../../src/core/ids.ts'
import { configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-dispatch-'))
const unhandled = vi.fn()

beforeAll(() => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const here = { scheduler: 'direct', workdir: join(folder, 'work') }
  configure({ profiles: { here }, defaultProfile: 'here', store: join(file, 'store') })
  process.on('unhandledRejection', unhandled)
})
afterAll(async () => {
  process.off('unhandledRejection', unhandled)
  await closeSessions()
  removeFolder(folder)
})

it('a call that cannot be recorded says so once, also where its code cannot be bundled', async () => {
  const submission = new Submission(newJobId())
  const item = submission.add({})
  const bundle = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    throw new Error('it cannot be bundled')
  }
  const inputs = { entries: [new Uint8Array()], files: [[]], shared: [], parents: [[]], repeated: [] }
  const snapshot = { name: 'f', bundle } as Partial<Snapshot> as Snapshot
  const request: Request = { snapshot, options: {}, inputs, map: false, stream: undefined, cwd: folder }
  await expect(dispatch(submission, Promise.resolve(request))).rejects.toMatchObject({
    code: 'STORE_UNWRITABLE',
  })
  await expect(item.settled.promise).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(unhandled).not.toHaveBeenCalled()
})
