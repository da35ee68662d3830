import { expect, it } from 'vitest'
import { AsyncQueue } from '../../../src/core/async-queue.ts'
import { FarcallError, TransportError } from '../../../src/core/errors.ts'
import type { JobSpec } from '../../../src/core/protocol.ts'
import type { JobEvent } from '../../../src/executor/executor.ts'
import type { Api } from '../../../src/executor/kubernetes/api.ts'
import { MemberEnds } from '../../../src/executor/kubernetes/member-ends.ts'
import { TrackedJob } from '../../../src/executor/kubernetes/tracked-job.ts'

const lost = new TransportError('CONNECTION_LOST', 'the server cannot answer just now', { transient: true })
const forbidden = new FarcallError('REQUEST_FORBIDDEN', 'may not get jobs')
const job = () => new TrackedJob({ id: 'f1', members: 1 } as JobSpec, 'f1', 'mark', 1, new Map())

/** Ends of members of a cluster that answers each question about a Job by the next of these. */
function ends(...answers: (Error | object)[]) {
  const events = new AsyncQueue<JobEvent>()
  const ask = async () => {
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return answer
  }
  const api = { access: { namespace: 'n' }, ask } as unknown as Api
  const waits: number[] = []
  const clock = {
    now: () => 0,
    sleep: async (ms: number) => {
      waits.push(ms)
    },
  }
  const told = new MemberEnds(
    api,
    clock,
    events,
    { startTimeout: undefined },
    (work) => work(),
    () => events.close(),
  )
  return { told, events, waits, left: answers }
}

async function all(events: AsyncQueue<JobEvent>): Promise<JobEvent[]> {
  const heard: JobEvent[] = []
  for await (const event of events) heard.push(event)
  return heard
}

it('of a pod that is gone, why is asked until the server answers: no other news of it will come', async () => {
  const { told, events, waits } = ends(lost, lost, { metadata: { deletionTimestamp: 'now' } })
  told.missing(job(), 0)
  expect(await all(events)).toMatchObject([
    { type: 'trouble', error: lost },
    { type: 'trouble', error: lost },
    { type: 'end', member: 0, status: { state: 'CANCELED' } },
  ])
  expect(waits).toEqual([1_000, 2_000])
})

it('what no waiting helps against is told once', async () => {
  const { told, events, waits, left } = ends(forbidden, { metadata: {} })
  told.missing(job(), 0)
  const first = await events[Symbol.asyncIterator]().next()
  expect(first.value).toMatchObject({ type: 'trouble', error: forbidden })
  expect(waits).toEqual([])
  expect(left).toHaveLength(1)
})

it('nobody is asked for the sake of a job that nobody follows any more', async () => {
  const { told, events, left } = ends(lost, { metadata: {} })
  const released = job()
  told.missing(released, 0)
  released.released.abort()
  await new Promise((resolve) => setImmediate(resolve))
  events.close()
  expect(await all(events)).toEqual([])
  expect(left).toHaveLength(1)
})
