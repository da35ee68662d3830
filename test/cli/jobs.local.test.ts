import { describe, expect, it } from 'vitest'
import { root } from '../client/helpers.ts'
import { commandsWork } from './jobs.ts'

const detachedTask = `${root}test/fixtures/programs/detached-task.ts`
const detachedStream = `${root}test/fixtures/programs/detached-stream.ts`

describe('commands about jobs of this machine', () =>
  commandsWork({ scheduler: 'direct' }, ({ farcall, out }) => {
    it('a stream is followed to its end, with all that its function prints', async () => {
      const id = (await out('run', detachedStream)).trimEnd()
      expect(await farcall('attach', id)).toMatchObject({
        exitCode: 0,
        stdout: '0\n1\n2\n3\n',
        stderr: expect.stringMatching(/line 0\nline 1\nline 2\nline 3\nthe last line\n/),
      })
    })

    it('items that share their task cannot be canceled alone, and a dry run says so as well', async () => {
      const id = (await out('run', detachedTask, '--', '600000', '600000')).trimEnd()
      for (const more of [['--dry-run'], []])
        expect(await farcall('cancel', `${id}[0]`, ...more)).toMatchObject({
          exitCode: 2,
          stdout: '',
          stderr: expect.stringContaining('items [0-1] are run by one task, which others need'),
        })
      expect(await out('cancel', `${id}[0-1]`, '--dry-run')).toBe(`${id}[0,1]\n`)
      expect(await out('cancel', `${id}[0-1]`)).toBe(`${id}[0,1]\n`)
    })
  }))
