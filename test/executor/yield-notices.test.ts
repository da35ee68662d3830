import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { decodeRecords, encodeRecord } from '../../src/core/pack.ts'
import { type YieldNews, yieldMagic } from '../../src/core/protocol.ts'
import { planLooks } from '../../src/executor/batch/look-plan.ts'
import { ackScript, yieldsScript } from '../../src/executor/batch/member-scripts.ts'
import { parseNotices } from '../../src/executor/batch/notices.ts'
import { removeFolder } from '../remove-folder.ts'

const id = 'fabcdefghijklm'

function notice(from: number, values: readonly Uint8Array[], over: Partial<YieldNews> = {}): Buffer {
  const records = Buffer.concat(
    values.flatMap((bytes, n) => encodeRecord({ kind: 'yield', index: from + n, bytes })),
  )
  const news = { id, attempt: 1, member: 0, sequence: 1, item: 0, count: from + values.length, bytes: 99 }
  const line = Buffer.from(`${JSON.stringify({ ...news, from: { count: from, bytes: 0 }, ...over })}\n`)
  return Buffer.concat([Buffer.from(`${yieldMagic} ${line.length} ${records.length}\n`), line, records])
}

test('values come with their notice, whatever is in them', () => {
  const value = fc.uint8Array({ maxLength: 50 })
  fc.assert(
    fc.property(fc.array(fc.array(value, { maxLength: 5 }), { maxLength: 4 }), (rows) => {
      const { yields } = parseNotices(Buffer.concat(rows.map((row, n) => notice(n, row))))
      expect(yields.map(({ records }) => records.map((bytes) => [...bytes]))).toEqual(
        rows.map((row) => row.map((bytes) => [...bytes])),
      )
    }),
  )
})

test('one that is cut off is left for the next look, and one whose values are damaged comes without them', () => {
  const whole = notice(3, [Buffer.from('a'), Buffer.from('bc')])
  for (let length = 0; length < whole.length; length++)
    expect(parseNotices(whole.subarray(0, length)).yields).toEqual([])
  const damaged = Buffer.from(whole)
  damaged[damaged.length - 1]! ^= 1
  expect(parseNotices(damaged).yields).toMatchObject([{ news: { count: 5 }, records: [] }])
  // it says more than there is
  expect(parseNotices(notice(3, [Buffer.from('a')], { count: 9 })).yields[0]!.records).toEqual([])
})

test('one that holds something else is refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (line) => {
      const text = `${yieldMagic} ${Buffer.byteLength(line) + 1} 0\n${line}\n`
      expect(() => parseNotices(Buffer.from(text))).toThrow('a notice of values holds')
    }),
  )
})

test('while a stream flows its next values are looked for as those of a young job are', () => {
  const old = 3_600_000
  const at = (immediate: boolean, flowing: boolean) =>
    planLooks(old, { immediate, filePollMs: 2_000, flowing })
  expect([at(false, false), at(false, true)]).toEqual([
    { step: 2_000, looks: 1 },
    { step: 250, looks: 8 },
  ])
  expect(at(true, true)).toEqual({ step: 10, looks: 200 })
})

const onPath = (name: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
const shells = [['dash'], ['bash'], ['busybox', 'sh']].filter(([name]) => onPath(name!))

describe.each(shells)('the scripts of streams in %s %s', (...words) => {
  const shell = words.filter((word): word is string => typeof word === 'string')
  const folder = mkdtempSync(join(tmpdir(), 'farcall-yields it\'s "$(odd)" '))
  afterAll(() => removeFolder(folder))
  const env = { ...process.env }
  if (shell[0] === 'busybox') {
    const applets = join(folder, 'applets')
    mkdirSync(applets)
    execFileSync('busybox', ['--install', '-s', applets])
    env['PATH'] = applets
  }
  const run = (script: string, lines: readonly string[]) =>
    spawnSync(
      shell[0] === 'busybox' ? join(folder, 'applets', 'sh') : shell[0]!,
      ['-c', script, 'farcall', folder],
      {
        env,
        input: lines.map((line) => `${line}\n`).join(''),
      },
    )
  const job = join(folder, 'jobs', id)
  const bytes = Buffer.concat(
    [0, 1, 2].flatMap((index) =>
      encodeRecord({ kind: 'yield', index, bytes: Buffer.alloc(10, `\n\0x${index}`) }),
    ),
  )
  for (const n of [1, 2, 10]) mkdirSync(join(job, `run.${n}.3`), { recursive: true })
  writeFileSync(join(job, 'run.2.3', 'yields.7'), bytes)
  writeFileSync(join(job, 'run.10.3', 'yields.7'), bytes.subarray(0, 40))

  test('what was yielded is read from any byte on, of a run or of the last one', () => {
    const asked = [`${id} 2 3 7 0 1000`, `${id} 2 3 7 34 34`, `${id} 0 3 7 0 1000`]
    const none = [
      `${id} 2 3 8 0 1000`,
      `${id} 5 3 7 0 1000`,
      `fzzzzzzzzzzzzz 0 0 0 0 9`,
      `${id} 2 3 7 102 10`,
    ]
    const { stdout, status } = run(yieldsScript, [...asked, ...none])
    expect(status).toBe(0)
    const expected = [
      ...[bytes, bytes.subarray(34, 68), bytes.subarray(0, 40)].flatMap((part) => [
        Buffer.from(`yields ${part.length}\n`),
        part,
      ]),
      ...none.map(() => Buffer.from('yields 0\n')),
    ]
    expect(stdout.equals(Buffer.concat(expected))).toBe(true)
    expect(decodeRecords(bytes).records).toHaveLength(3)
  })

  test('how far it was read is written where it runs, and said of which it could not', () => {
    const lines = [`${id} 2 3 7 2 68`, 'fzzzzzzzzzzzzz 1 0 0 5 5', `${id} 0 3 7 1 34`]
    const { stdout, status } = run(ackScript, lines)
    expect([status, stdout.toString()]).toEqual([0, '1\n'])
    expect(readFileSync(join(job, 'run.2.3', 'ack.7'), 'utf8')).toBe('2 68\n')
    expect(readFileSync(join(job, 'run.10.3', 'ack.7'), 'utf8')).toBe('1 34\n')
  })
})
