import { join } from 'node:path'
import { expect, it } from 'vitest'
import { decode } from '../../src/codec/codec.ts'
import type { JobSpec } from '../../src/core/protocol.ts'
import type { Executor } from '../../src/executor/executor.ts'
import { EventLog } from '../../src/testing/event-log.ts'
import { payload } from '../../src/testing/payload.ts'

interface Place {
  open(): Promise<Executor>
  /** Runs a line of sh in the work folder. */
  sh(line: string): Promise<string>
  /** What an id of this scheduler looks like. */
  nativeId: string
}

/**
 * What a client that was killed half way leaves, and what the next one makes of it. `waiting`: options that keep a
 * job from starting, where there is a queue.
 */
export function cutOffTests(place: () => Place, waiting?: Partial<JobSpec>): void {
  const submitTwice = async (spec: Partial<JobSpec>, spoil: (folder: string) => string) => {
    const { open, sh } = place()
    const job = payload('() => 1', { spec })
    const first = await open()
    const { nativeId } = await first.submit(job)
    await sh(spoil(join('jobs', job.spec.id)))
    await first[Symbol.asyncDispose]()
    const second = await open()
    const again = await second.submit(job)
    return { job, nativeId, again, second }
  }

  it('takes the id that the job itself left, when the answer of its submission was lost', async () => {
    const { nativeId, again, second } = await submitTwice(
      {},
      (folder) =>
        `until [ -s ${folder}/submit.1/native ]; do sleep 0.1; done; rm ${folder}/submit.1/rc ${folder}/submit.1/out`,
    )
    expect(again.nativeId).toBe(nativeId)
    await second[Symbol.asyncDispose]()
  })

  if (waiting)
    it('finds a job in the queue by its script', async () => {
      const { job, nativeId, again, second } = await submitTwice(
        waiting,
        (folder) => `rm ${folder}/submit.1/*`,
      )
      expect(again.nativeId).toBe(nativeId)
      await second.cancel([{ id: job.spec.id }])
      await second[Symbol.asyncDispose]()
    })

  it('is made anew by one of several clients, when surely nothing came of it', async () => {
    const { open, sh } = place()
    const job = payload('() => 42')
    const clients = await Promise.all([1, 2, 3].map(open))
    const log = new EventLog(clients[0]!)
    await Promise.all(clients.map((client) => client.open()))
    await sh(`mkdir -p jobs/${job.spec.id}/submit.1`)
    const given = await Promise.all(clients.map((client) => client.submit(job)))
    expect(new Set(given.map(({ nativeId }) => nativeId)).size).toBe(1)
    await log.until(() => log.ends(job.spec.id).length === 1)
    const values = []
    for await (const record of clients[0]!.fetch(job.spec.id, [0])) values.push(decode(record.bytes))
    expect(values).toEqual([42])
    for (const client of clients) await client[Symbol.asyncDispose]()
  })

  it('waits for another client that is submitting it', async () => {
    const { open, sh, nativeId } = place()
    const job = payload('() => 42')
    const client = await open()
    await client.open()
    const folder = `jobs/${job.spec.id}`
    // Stands for a slow sbatch of another client: a process that has the script's name among its arguments.
    const slow = `cd ${folder}/submit.1; sleep 4; echo "$1" >out; echo 0 >rc`
    await sh(
      `mkdir -p ${folder}/submit.1; sh -c '${slow}' "$PWD/${folder}/job.sh" ${nativeId} </dev/null >/dev/null 2>&1 &`,
    )
    expect(await client.submit(job)).toEqual({ nativeId })
    await client[Symbol.asyncDispose]()
  })
}
