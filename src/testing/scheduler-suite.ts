import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { SubmitError } from '../core/errors.ts'
import { isFinal, type JobStatus } from '../core/status.ts'
import { hostileNames } from './hostile-names.ts'
import { SchedulerBench, type SchedulerPlace, saidBy } from './scheduler-bench.ts'

export type { SchedulerPlace } from './scheduler-bench.ts'

/**
 * What every dialect must do with the scheduler that it is for, as tests of vitest: the same ones for real and simulated
 * schedulers. What a place cannot be brought to do is skipped, and says so.
 * @internal
 */
export function schedulerSuite(name: string, open: () => Promise<SchedulerPlace>, timeoutMs = 60_000): void {
  describe(`${name} is a scheduler`, { timeout: timeoutMs }, () => {
    let place: SchedulerPlace
    let bench: SchedulerBench
    /** Over its time limit while the others are tested: some look at limits each half minute. */
    let slow = ''
    beforeAll(async () => {
      place = await open()
      bench = new SchedulerBench(place, timeoutMs)
      const { timeLimitSeconds: timeSeconds } = place
      slow = await bench.submit('sleep 600', { timeSeconds })
    }, timeoutMs)
    afterEach(() => bench.cancelAllBut(slow), timeoutMs)
    afterAll(() => bench?.close(), timeoutMs)

    const is = (state: JobStatus['state']) => (status: JobStatus | undefined) => status?.state === state
    const isGone = (status: JobStatus | undefined) => status === undefined || isFinal(status.state)

    it('is found, and says its version and what there is to run on', async () => {
      const { scheduler } = place
      expect(await bench.run(scheduler.detect())).toMatchObject({ exitCode: 0 })
      if (scheduler.version)
        expect(scheduler.parseVersion!(await bench.run(scheduler.version()))).toMatch(/^\d+\.\d/)
      if (scheduler.capacity) {
        const queues = scheduler.parseCapacity!(await bench.run(scheduler.capacity()))
        expect(queues.filter(({ up, nodes }) => up && (nodes?.total ?? 0) > 0).length).toBeGreaterThan(0)
      }
    })

    it('takes a script, runs it once, and knows it by its path', async () => {
      const gate = bench.gate()
      const id = await bench.submit(`echo ran >>"$out"; ${gate.wait}`)
      await bench.until(id, is('ACTIVE'))
      const file = bench.fileOf(id)
      expect(await bench.findSubmitted(file, `${file}.other`)).toEqual([id, undefined])
      await gate.open()
      await bench.untilGone(id)
      expect(await bench.output(id)).toBe('ran\n')
    })

    it('tells that a job waits, runs, and has ended', async () => {
      const [first, second] = [bench.gate(), bench.gate()]
      const before = await bench.submit(first.wait)
      const id = await bench.submit(second.wait, { after: [{ nativeId: before }] })
      await bench.until(before, is('ACTIVE'))
      expect(await bench.status(id)).toMatchObject({ state: 'QUEUED' })
      await first.open()
      await bench.until(id, is('ACTIVE'))
      await second.open()
      await bench.untilGone(id)
      expect(await bench.ended(id)).toMatchObject({ state: 'COMPLETED' })
    })

    it('tells the members of an array apart, and runs no more at once than asked', async () => {
      const gate = bench.gate()
      const body = `echo "$member" >>"$out"; [ "$member" != 1 ] || exit 3; ${gate.wait}`
      const id = await bench.submit(body, { array: { size: 5, concurrency: 2 } })
      // One of the first two has ended by itself.
      const entry = await bench.untilEntry(id, (seen) => bench.memberStatus(seen, 2)?.state === 'ACTIVE')
      const states = [0, 1, 2, 3, 4].map((member) => bench.memberStatus(entry, member)?.state)
      expect(states.filter((state) => state === 'ACTIVE')).toHaveLength(2)
      expect(states.slice(3)).toEqual(['QUEUED', 'QUEUED'])
      await gate.open()
      await bench.untilGone(id)
      expect((await bench.output(id)).trim().split('\n').sort()).toEqual(['0', '1', '2', '3', '4'])
      // For a second or two slurmdbd may know of the array as a whole alone.
      const ended = await bench.untilHistory(
        id,
        (seen) =>
          seen?.members !== undefined &&
          [0, 1, 2, 3, 4].every((member) => isFinal(bench.memberStatus(seen, member)?.state ?? 'NEW')),
      )
      expect([0, 1, 2, 3, 4].map((member) => bench.memberStatus(ended, member)?.state)).toEqual([
        'COMPLETED',
        'FAILED',
        'COMPLETED',
        'COMPLETED',
        'COMPLETED',
      ])
      expect(bench.memberStatus(ended, 1)).toMatchObject({ reason: 'exit-code', exitCode: 3 })
    })

    it('keeps a history of how jobs ended, and how long they took', async () => {
      const ids = await Promise.all(['sleep 1', 'exit 3', 'kill -9 $$'].map((body) => bench.submit(body)))
      await bench.untilGone(ids)
      const [good, bad, killed] = await Promise.all(ids.map((id) => bench.ended(id)))
      expect(good).toMatchObject({ state: 'COMPLETED' })
      expect(good!.elapsed ?? 1).toBeGreaterThanOrEqual(1)
      expect(bad).toMatchObject({ state: 'FAILED', reason: 'exit-code', exitCode: 3 })
      expect(killed).toMatchObject({ state: 'FAILED', reason: 'signal', signal: 9 })
    })

    it('cancels what waits, what runs, and members alone; what is gone is no failure', async () => {
      const { scheduler } = place
      const running = await bench.submit('sleep 600')
      const waiting = await bench.submit('true', { after: [{ nativeId: running }] })
      const array = await bench.submit('sleep 600', { array: { size: 2 } })
      await bench.until(running, is('ACTIVE'))
      await bench.untilEntry(array, (seen) => bench.memberStatus(seen, 1)?.state === 'ACTIVE')
      await bench.cancel([waiting, scheduler.array!.taskId(array, 0)])
      await bench.until(waiting, isGone)
      const entry = await bench.untilEntry(array, (seen) => isGone(bench.memberStatus(seen, 0)))
      expect(bench.memberStatus(entry, 1)?.state).toBe('ACTIVE')
      await bench.cancel([running, array])
      await bench.untilGone([running, array])
      await bench.cancel([running, waiting, ...bench.unknownIds(running, 3)])
      // A job that a signal ended is not told from one that was canceled by all of them.
      const how = await bench.ended(running)
      expect(`${how?.state} ${how?.signal ?? ''}`).toMatch(/^CANCELED|^FAILED (9|15)/)
    })

    describe('tells why a job failed:', () => {
      it('its time limit', { timeout: Math.max(timeoutMs, 240_000) }, async () => {
        await bench.untilGone(slow, 240_000)
        expect(await bench.ended(slow)).toMatchObject({ state: 'FAILED', reason: 'timeout' })
      })

      it('its memory', async ({ skip }) => {
        const { overMemory } = place
        if (!overMemory) return skip('nothing here holds a job to its memory')
        // Without an end of a line tail keeps all that it reads.
        const hold = '{ head -c 150000000 /dev/zero; sleep 10; } | tail >/dev/null &'
        const id = await bench.submit(`${hold}\n`.repeat(3) + 'wait', overMemory)
        await bench.untilGone(id)
        expect(await bench.ended(id)).toMatchObject({ state: 'FAILED', reason: 'out-of-memory' })
      })

      it('a log that cannot be written', async ({ skip }) => {
        const { scheduler } = place
        if (typeof scheduler.directives.log !== 'function') return skip('its own log is not the scheduler’s')
        const id = await bench.submit('true', { log: '/nonexistent/log' })
        const status = await bench.untilStatus(
          id,
          (seen) => seen?.reason === 'launch-failed' || seen?.reason === 'held',
        )
        expect(status?.message).toMatch(/\w/)
        await bench.cancel([id])
      })

      it('its node', async ({ skip }) => {
        if (!place.failNode) return skip('its nodes cannot be brought to fail here')
        const id = await bench.submit('sleep 600', bench.neverAgain())
        await bench.until(id, is('ACTIVE'))
        await place.failNode(id)
        await bench.untilGone(id)
        expect(await bench.ended(id)).toMatchObject({
          state: 'FAILED',
          reason: place.nodeFailure ?? 'node-failure',
        })
      })

      it('a job that comes first', async ({ skip }) => {
        if (!place.preempt) return skip('no job comes before others here')
        const id = await bench.submit('sleep 600', { ...bench.neverAgain(), partition: 'long' })
        await bench.until(id, is('ACTIVE'))
        await place.preempt(id)
        await bench.untilGone(id)
        expect(await bench.ended(id)).toMatchObject({ state: 'FAILED', reason: 'preempted' })
      })
    })

    it(
      'runs a job again that may be, and says that it does',
      async ({ skip }) => {
        const { scheduler } = place
        if (scheduler.directives.requeue === 'unsupported') return skip('it does not say how often a job ran')
        const gate = bench.gate()
        const again = scheduler.name === 'sge' ? 'exit 99' : 'scontrol requeue "$SLURM_JOB_ID"; sleep 600'
        const count = scheduler.name === 'sge' ? '$RESTARTED' : '${SLURM_RESTART_COUNT:-0}'
        const body = `n="${count}"; echo "$n" >>"$out"; if [ "$n" = 0 ]; then ${again}; fi; ${gate.wait}`
        const id = await bench.submit(body, { requeue: true })
        await bench.untilOutput(id, '0\n1\n', 150_000)
        expect(await bench.status(id)).toMatchObject({ state: 'ACTIVE' })
        await gate.open()
        await bench.untilGone(id)
        expect(await bench.ended(id)).toMatchObject({ state: 'COMPLETED' })
      },
      Math.max(timeoutMs, 180_000),
    )

    it('refuses in words that lead on', async () => {
      const refused = async (asked: Parameters<SchedulerBench['submit']>[1]) => {
        const error = await bench.submit('true', asked).catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(SubmitError)
        expect(error).toMatchObject({ code: 'SUBMIT_REFUSED', hint: expect.stringMatching(/\w/) })
      }
      await refused({ partition: 'nowhere' })
      await refused({ array: { size: (await bench.arrayLimit()) + 1 } })
    })

    it('takes hostile names, and runs nothing of them', async () => {
      const gate = bench.gate()
      const before = await bench.submit(gate.wait)
      const after = [{ nativeId: before }]
      const ids: string[] = []
      for (const text of hostileNames)
        ids.push(
          await bench.submit(bench.writeName, {
            name: text,
            after,
            path: `it's "$(touch pwned)" ü ${text.length}`,
          }),
        )
      // Before they run: each is found by its path.
      expect(await bench.findSubmitted(...ids.map((id) => bench.fileOf(id)))).toEqual(ids)
      await gate.open()
      await bench.untilGone(ids)
      const names = await Promise.all(ids.map((id) => bench.output(id)))
      const { scheduler } = place
      if (scheduler.name === 'slurm') expect(names).toEqual(hostileNames.map((text) => `${text}\n`))
      else for (const told of names) expect(told).toMatch(/^[A-Za-z_][\w.+=-]*\n$/)
      expect(await bench.exists('pwned')).toBe(false)
    })

    it('knows no ending in words that it does not know', async () => {
      const gate = bench.gate()
      const id = await bench.submit(gate.wait)
      await bench.until(id, is('ACTIVE'))
      const { scheduler } = place
      const answer = await bench.run(scheduler.query([id]))
      const { status } = scheduler.parseQuery(answer).get(id)!
      const [known, unknown] = [status.native!, 'ZX'].map(bench.asWritten)
      const said = new TextDecoder().decode(answer.stdout)
      expect(said).toContain(known)
      const changed = scheduler.parseQuery({
        ...answer,
        stdout: Buffer.from(said.replaceAll(known!, unknown!)),
      })
      expect(changed.get(id)?.status).toMatchObject({ state: 'QUEUED', native: 'ZX' })
      // What is no line of an answer is passed over.
      const banner = 'Welcome to the cluster!\n* maintenance: *Tuesday*\n'
      const within = scheduler.parseQuery({ ...answer, stdout: Buffer.from(banner + said) })
      expect(within.get(id)?.status).toMatchObject({ state: 'ACTIVE' })
      await gate.open()
      await bench.untilGone(id)
    })

    it('takes an empty answer for one that says nothing', async () => {
      const { scheduler } = place
      const nothing = saidBy('')
      expect(scheduler.parseQuery(nothing).size).toBe(0)
      expect(scheduler.parseHistory?.(nothing)?.size ?? 0).toBe(0)
      expect(scheduler.findSubmitted?.parse(nothing, '/x/job.sh')).toBeUndefined()
      expect(() => scheduler.parseSubmit(nothing)).toThrow(SubmitError)
      const [unknown] = bench.unknownIds(slow, 1)
      expect(await bench.entry(unknown!)).toBeUndefined()
      expect(await bench.history(unknown!)).toBeUndefined()
    })

    it('is asked for a thousand at once', { timeout: Math.max(timeoutMs, 120_000) }, async () => {
      const { scheduler } = place
      const gate = bench.gate()
      const before = await bench.submit(gate.wait)
      const id = await bench.submit('true', { array: { size: 1000 }, after: [{ nativeId: before }] })
      const ids = [...bench.unknownIds(id, 999), id]
      const entry = scheduler.parseQuery(await bench.run(scheduler.query(ids))).get(id)
      const states = Array.from({ length: 1000 }, (_, member) => bench.memberStatus(entry, member)?.state)
      expect(new Set(states)).toEqual(new Set(['QUEUED']))
      await bench.cancel(ids)
      await bench.untilGone(id)
      await gate.open()
      await bench.untilGone(before)
      const told = await bench.histories([...bench.unknownIds(id, 999), before])
      expect([...told.keys()]).toEqual([before])
    })
  })
}
