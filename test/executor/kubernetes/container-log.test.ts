import { expect, it } from 'vitest'
import { progressNotice } from '../../../src/core/protocol.ts'
import { memberLog, readKeeperLog } from '../../../src/executor/kubernetes/container-log.ts'

const mark = 'farcall-0123456789abcdef'
const report = { id: 'fabcdefghijklm', attempt: 1, member: 0, sequence: 3, items: [] }
const progress = `${mark} progress 0 ${Buffer.from(progressNotice(report)).toString('base64')}`

it('gives the log of a member as it was written, whatever was said in between', () => {
  const log = [
    `${mark} log 0`,
    'one',
    progress,
    'two, in',
    `${mark} glue`,
    progress,
    ' halves',
    `${mark} log 1`,
    'other',
    '',
  ]
  const of = (member: number) => memberLog(Buffer.from(log.join('\n')), mark, member).toString()
  expect(of(0)).toBe('one\ntwo, in halves\n')
  expect(of(1)).toBe('other\n')
})

it('hears of each member what was said last, and nothing of a line that is cut off', () => {
  const before = `${mark} progress 0 ${Buffer.from(progressNotice({ ...report, sequence: 2 })).toString('base64')}`
  const { reports, notices, state } = readKeeperLog(
    `${before}\n${progress}\nwords\n${progress.slice(0, -30)}`,
    mark,
  )
  expect([...reports]).toEqual([[0, report]])
  expect(notices.size).toBe(0)
  expect(state).toBe('open')
})
