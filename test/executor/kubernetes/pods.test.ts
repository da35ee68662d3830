import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeRecord } from '../../../src/core/pack.ts'
import { memberLog, readKeeperLog } from '../../../src/executor/kubernetes/container-log.ts'
import type { Pod } from '../../../src/executor/kubernetes/objects.ts'
import { lanesOf } from '../../../src/executor/kubernetes/plan.ts'
import { deletionOf, endOf, viewOf } from '../../../src/executor/kubernetes/pod-status.ts'

const metadata = { name: 'p', uid: 'u' }
const condition = (type: string, status: 'True' | 'False' | 'Unknown', reason?: string) => ({
  type,
  status,
  ...(reason ? { reason } : {}),
})

describe("a pod's status", () => {
  it('of a node that is gone ends its members as lost with it', () => {
    const spec = { nodeName: 'n1' }
    const lost: Pod = { metadata, spec, status: { phase: 'Running', reason: 'NodeLost' } }
    expect(deletionOf(lost)).toMatchObject({ reason: 'node-failure', message: 'the node is gone on n1' })
    const unknown: Pod = {
      metadata,
      spec,
      status: { phase: 'Running', conditions: [condition('Ready', 'Unknown')] },
    }
    expect(deletionOf(unknown)).toMatchObject({ reason: 'node-failure' })
    const later = (reason: string): Pod => ({
      metadata,
      spec,
      status: { conditions: [condition('DisruptionTarget', 'True', reason)] },
    })
    expect(deletionOf(later('DeletionByTaintManager'))).toMatchObject({ reason: 'node-failure' })
    expect(deletionOf(later('PreemptionByScheduler'))).toMatchObject({ reason: 'preempted' })
    expect(deletionOf({ metadata })).toMatchObject({ reason: 'preempted', native: 'PodDeleted' })
  })

  it('of a word that nobody knows is no end', () => {
    const view = viewOf({
      metadata,
      status: {
        phase: 'Dreaming',
        containerStatuses: [{ name: 'main', state: { waiting: { reason: 'Pondering' } } }],
      },
    })
    expect(view).toMatchObject({ over: false, status: { state: 'QUEUED' } })
  })

  it('is read whatever it holds', () => {
    const state = fc.oneof(
      fc.constant({}),
      fc.record({ waiting: fc.record({ reason: fc.string() }) }),
      fc.record({ running: fc.constant({}) }),
      fc.record({ terminated: fc.record({ exitCode: fc.integer(), reason: fc.string() }) }),
    )
    const status = fc.record({
      phase: fc.constantFrom('Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'),
      reason: fc.option(fc.string(), { nil: undefined }),
      containerStatuses: fc.array(fc.record({ name: fc.constantFrom('main', 'keeper'), state })),
    })
    fc.assert(
      fc.property(status, (some) => {
        const pod = { metadata, status: some } as Pod
        expect(['QUEUED', 'ACTIVE']).toContain(viewOf(pod).status.state)
        expect(['COMPLETED', 'FAILED']).toContain(endOf(pod).state)
      }),
    )
  })
})

describe("a container's log", () => {
  const mark = 'farcall-0123'
  const notice = (member: number, bytes = Buffer.from('x')) => {
    const record = Buffer.concat(encodeRecord({ kind: 'value', index: member, bytes }))
    const end = JSON.stringify({
      protocol: 1,
      id: 'faaaaaaaaaaaaa',
      attempt: 1,
      member,
      items: 1,
      bytes: record.length,
    })
    const whole = Buffer.concat([
      Buffer.from(`farcall-notice ${end.length + 1} ${record.length}\n${end}\n`),
      record,
    ])
    return `${mark} notice ${member} ${whole.toString('base64')}\n`
  }

  it('tells how members ended, although one of two words for it was cut', () => {
    const whole = notice(3)
    const text = `${whole.slice(40)}${notice(4)}${whole}${mark} waiting\n`
    const { notices, state } = readKeeperLog(text, mark)
    expect(state).toBe('waiting')
    expect([...notices.keys()].sort()).toEqual([3, 4])
    expect(notices.get(3)?.records).toMatchObject([{ index: 3, kind: 'value' }])
    expect(readKeeperLog(whole.slice(0, -9), mark)).toEqual({
      notices: new Map(),
      reports: new Map(),
      state: 'open',
    })
  })

  it('believes nobody who does not know the mark', () => {
    const forged = notice(0).replace(mark, 'farcall-9999')
    expect(readKeeperLog(forged, mark).notices.size).toBe(0)
  })

  it('has the lines of each member, and none of ours', () => {
    const bytes = Buffer.from(`${mark} log 0\na\nb\n${mark} log 2\nc\n${mark} notice 0 xx\nd`)
    expect(memberLog(bytes, mark, 0).toString()).toBe('a\nb\n')
    expect(memberLog(bytes, mark, 2).toString()).toBe('c\nd')
    // Rotated: its beginning is gone.
    expect(memberLog(Buffer.from('x\ny\n'), mark, 7).toString()).toBe('x\ny\n')
    expect(memberLog(Buffer.from(`of another\n${mark} log 2\nmine\n`), mark, 2).toString()).toBe('mine\n')
  })
})

it('deals members to lanes', () => {
  expect(lanesOf({ members: 5 }, 2)).toEqual([
    [0, 2, 4],
    [1, 3],
  ])
  expect(lanesOf({ members: 9, only: [8, 1, 4] }, 3)).toEqual([[8], [1], [4]])
})
