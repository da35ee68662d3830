/** What generators yield while they run: a command beside each of them tells of it as it comes. */
import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import { paths } from '../../core/protocol.ts'
import { parseNotices } from '../batch/notices.ts'
import type { JobEvent } from '../executor.ts'
import type { Api } from './api.ts'
import { execIn } from './exec.ts'
import { containers, podPaths } from './names.ts'
import { viewOf } from './pod-status.ts'
import type { TrackedJob } from './tracked-job.ts'

/**
 * Tells of notices of values as they come, and first of the last that others were told: they may not have heard it. $1
 * workdir, $2 inbox, $3 how their names begin, $4 tenths of a second. For each a line `notice BYTES`, then the notice.
 * One that was told is moved: where nobody listens it stays, and the generator sees that. Ends with the
 * function, when stdin ends, and after that time: not every runtime tells it that its listener is gone.
 */
const tellYields = `cd -- "$1" || exit
exec 3<&0
{ cat >/dev/null; kill "$$"; } <&3 2>/dev/null &
listener=$!
trap 'kill "$listener" 2>/dev/null; exit 0' TERM
inbox=$2 prefix=$3 left=$4 told='|' idle=0 own=$2/.telling.$$
while :; do
  last= news=
  if [ -e .over ] || [ "$left" -le 0 ]; then last=1; fi
  for f in "$inbox/$prefix"*.yield.*; do
    name=\${f##*/}
    mv -f "$f" "$inbox/.heard.$name" 2>/dev/null || continue
    # Of an item the last one says most.
    for other in "$inbox/.heard.\${name%.*}".*; do
      if [ "\${other##*.}" -lt "\${name##*.}" ]; then rm -f "$other"; fi
      if [ "\${other##*.}" -gt "\${name##*.}" ]; then rm -f "$inbox/.heard.$name"; fi
    done
  done
  for f in "$inbox/.heard.$prefix"*.yield.*; do
    case $told in *"|$f|"*) continue ;; esac
    ln -f "$f" "$own" 2>/dev/null || continue
    told="$told$f|" news=1
    printf 'notice %s\\n' "$(($(wc -c <"$own")))"
    cat "$own"
    rm -f "$own"
  done
  [ -z "$last" ] || kill "$$"
  if [ -n "$news" ]; then idle=0; else idle=$((idle + 1)); fi
  if [ "$idle" -lt 20 ]; then
    left=$((left - 1))
    sleep 0.1 2>/dev/null || sleep 1
  else
    left=$((left - 5))
    sleep 0.5 2>/dev/null || sleep 1
  fi
done`

const lifeTenths = 600
/** Between two tries of what is in the way, milliseconds. */
const [soonMs, latestMs] = [500, 15_000]

export class StreamListener {
  readonly #api: Api
  readonly #clock: Clock
  readonly #events: AsyncQueue<JobEvent>
  readonly #stop: AbortSignal

  constructor(api: Api, clock: Clock, events: AsyncQueue<JobEvent>, stop: AbortSignal) {
    this.#api = api
    this.#clock = clock
    this.#events = events
    this.#stop = stop
  }

  /** A pod whose generators run. */
  follow(job: TrackedJob, lane: number): void {
    if (!job.spec.stream || job.streaming.has(lane)) return
    job.streaming.add(lane)
    void this.#listen(job, lane).finally(() => job.streaming.delete(lane))
  }

  async #listen(job: TrackedJob, lane: number): Promise<void> {
    const signal = AbortSignal.any([this.#stop, job.finished.signal, job.released.signal])
    const { id, attempt, client } = job.spec
    const args = [podPaths.workdir, paths.inbox(client), `${id}.${attempt}.`, String(lifeTenths)]
    for (let wait = soonMs; ; ) {
      const pod = job.pods.get(lane)
      if (signal.aborted || !pod || !viewOf(pod).kept || job.open(lane).length === 0) return
      const target = {
        namespace: this.#api.access.namespace,
        pod: pod.metadata.name,
        container: containers.keeper,
      }
      const framed = new FramedNotices((notice) => this.#tell(job, notice))
      const begun = this.#clock.now()
      try {
        await execIn(this.#api, target, ['sh', '-c', tellYields, 'farcall', ...args], {
          holdsStdin: true,
          onOutput: (bytes) => framed.add(bytes),
          signal,
        })
        wait = soonMs
        if (viewOf(job.pods.get(lane) ?? pod).over) return
        // Over, and the pod does not say so yet: the server is not to be asked again and again.
        if (this.#clock.now() - begun < soonMs) await this.#clock.sleep(soonMs, signal)
      } catch {
        // The watch of the pods tells what is in the way. The next one begins with what this one may not have told.
        await this.#clock.sleep(wait, signal)
        wait = Math.min(latestMs, wait * 2)
      }
    }
  }

  #tell(job: TrackedJob, notice: Uint8Array): void {
    for (const { news, records } of parseNotices(notice).yields) {
      const { id, attempt, member, sequence, from, ...report } = news
      if (id !== job.spec.id || !job.has(member)) continue
      const key = `${member}.${report.item}`
      if (sequence <= (job.yielded.get(key)?.sequence ?? 0)) continue
      job.yielded.set(key, { sequence, bytes: report.bytes })
      this.#events.push({ type: 'yield', id, member, attempt, report, from, records })
    }
  }
}

/** Puts notices together again from the pieces that they come in. */
export class FramedNotices {
  readonly #onNotice: (notice: Uint8Array) => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(onNotice: (notice: Uint8Array) => void) {
    this.#onNotice = onNotice
  }

  /** @throws Error when it is something else */
  add(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes])
    for (;;) {
      const newline = this.#rest.indexOf(10)
      if (newline < 0) return
      const [, size] = /^notice (\d{1,9})$/.exec(this.#rest.toString('latin1', 0, newline)) ?? []
      if (size === undefined) throw new Error('what came is no notice')
      const end = newline + 1 + Number(size)
      if (this.#rest.length < end) return
      this.#onNotice(this.#rest.subarray(newline + 1, end))
      this.#rest = this.#rest.subarray(end)
    }
  }
}
