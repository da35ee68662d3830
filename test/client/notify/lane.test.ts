import { describe, expect, it } from 'vitest'
import { backoffMs, Lane, type LaneTools, mostWaiting } from '../../../src/client/notify/lane.ts'
import { type Answer, type Parcel, retryAfter } from '../../../src/client/notify/post.ts'

const busy: Answer = { kind: 'later', why: 'it answers 503' }
const taken: Answer = { kind: 'taken' }

/** A lane to a server that answers as it is told; time passes at once. */
function laneTo(answers: (body: string, signal: AbortSignal) => Answer | Promise<Answer>) {
  const [sent, slept, warnings, told, dropped]: [string[], number[], string[], string[], string[]] = [
    [],
    [],
    [],
    [],
    [],
  ]
  const tools: LaneTools = {
    send: async ({ body }, signal) => {
      sent.push(body)
      return answers(body, signal)
    },
    sleep: async (ms) => {
      if (ms > 0) slept.push(ms)
    },
    random: () => 0.5,
    warn: (message) => warnings.push(message),
  }
  const lane = new Lane('webhook example.org', tools)
  const add = (body: string) =>
    lane.add({
      parcel: {
        body,
        url: new URL('https://example.org/s3cr3t'),
        method: 'POST',
        headers: {},
      } satisfies Parcel,
      of: `job ${body}`,
      told: () => told.push(body),
      dropped: () => dropped.push(body),
    })
  return { lane, add, sent, slept, warnings, told, dropped }
}

describe('a lane', () => {
  it('keeps the order, also when the first has to be tried again', async () => {
    let first = true
    const { lane, add, sent, told } = laneTo((body) => {
      if (body !== 'a' || !first) return taken
      first = false
      return busy
    })
    for (const body of ['a', 'b', 'c']) add(body)
    await lane.idle
    expect(sent).toEqual(['a', 'a', 'b', 'c'])
    expect(told).toEqual(['a', 'b', 'c'])
  })

  it('tries six times with growing waits, then the next ones once each, and says so once', async () => {
    const { lane, add, sent, slept, warnings, dropped } = laneTo(() => busy)
    for (const body of ['a', 'b', 'c']) add(body)
    await lane.idle
    expect(sent).toEqual(['a', 'a', 'a', 'a', 'a', 'a', 'b', 'c'])
    expect(slept).toEqual([750, 1500, 3000, 6000, 12_000])
    expect(dropped).toEqual(['a', 'b', 'c'])
    expect(warnings).toEqual([
      'webhook example.org was not told of job a: it answers 503; the jobs are not concerned',
    ])
  })

  it('is up again after one that arrives', async () => {
    const answers = [...Array<Answer>(6).fill(busy), taken, busy, taken]
    const { lane, add, sent, told } = laneTo(() => answers.shift()!)
    for (const body of ['a', 'b', 'c']) add(body)
    await lane.idle
    expect(sent.join('')).toBe('aaaaaabcc')
    expect(told).toEqual(['b', 'c'])
  })

  it('waits as long as the server wants, and not for hours', async () => {
    const answers: Answer[] = [{ ...busy, afterMs: 30_000 }, taken, { ...busy, afterMs: 3_600_000 }]
    const { lane, add, slept, warnings } = laneTo(() => answers.shift()!)
    add('a')
    add('b')
    await lane.idle
    expect(slept).toEqual([30_000])
    expect(warnings[0]).toContain('it answers 503, and wants to be asked in 3600 s')
  })

  it('tries what is refused no more', async () => {
    const { lane, add, sent } = laneTo(() => ({ kind: 'refused', why: 'it answers 404' }))
    add('a')
    await lane.idle
    expect(sent).toEqual(['a'])
  })

  it('holds a thousand, and then lets the oldest go', async () => {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { lane, add, told, dropped } = laneTo(async () => gate.then(() => taken))
    for (let n = 0; n < mostWaiting + 3; n++) add(`${n}`)
    open()
    await lane.idle
    expect(dropped).toEqual(['1', '2'])
    expect(told).toHaveLength(mostWaiting + 1)
    expect(told.at(-1)).toBe(`${mostWaiting + 2}`)
  })

  it('drops what has not arrived at the end, and takes what comes after', async () => {
    let hang = true
    const { lane, add, told, dropped } = laneTo((_, signal) =>
      hang
        ? new Promise((resolve) =>
            signal.addEventListener('abort', () => resolve({ kind: 'later', why: 'aborted' })),
          )
        : taken,
    )
    add('a')
    add('b')
    await lane.end()
    expect(dropped).toEqual(['a', 'b'])
    hang = false
    add('c')
    await lane.idle
    expect(told).toEqual(['c'])
  })
})

it('waits by chance, between half and all of it', () => {
  expect(backoffMs(2, () => 0)).toBe(500)
  expect(backoffMs(6, () => 1)).toBe(16_000)
})

it('reads Retry-After in both of its forms', () => {
  const now = Date.UTC(2026, 0, 1)
  expect(retryAfter('120', now)).toBe(120_000)
  expect(retryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30_000)
  expect(retryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0)
  expect(retryAfter('soon', now)).toBeUndefined()
  expect(retryAfter(null, now)).toBeUndefined()
})
