import type { Clock } from '../../core/clock.ts'
import { FarcallError, SubmitError } from '../../core/errors.ts'
import { type JobSpec, paths, scriptFile, specFile } from '../../core/protocol.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import { parseSpec } from './found.ts'
import { placeFailed } from './place.ts'
import type { Submitted } from './submission.ts'
import { cutOffScript, dropSubmissionScript } from './submit-scripts.ts'

interface At {
  readonly transport: Transport
  readonly scheduler: Scheduler
  readonly workdir: string
  readonly clock: Clock
}

const lookEveryMs = 500
/** A submitter that runs on another login node cannot be seen: what it may do comes to light within this time. */
const settleMs = { immediate: 2_000, queued: 20_000 }
/** sbatch itself waits for a controller that is down; longer than this it does not. */
const mostMs = 300_000

interface Traces {
  gone: boolean
  busy: boolean
  /** Which folder it is: a client that made it anew has another. */
  folder: string
  exitCode?: number
  nativeId?: string
  /** What lies there as asked. */
  spec?: JobSpec
}

/**
 * What became of a submission whose client was cut off, or which another client is making: its native id. Undefined:
 * nothing, surely; it has been taken out of the way and may be made anew. The job's own guard (run.<n>.<k>) holds
 * even if that were wrong.
 * @throws SubmitError when another client goes on submitting it for minutes
 */
export async function findCutOff(at: At, spec: JobSpec): Promise<Submitted | undefined> {
  const { transport, scheduler, workdir, clock } = at
  const script = `${workdir}/${paths.job(spec.id)}/${scriptFile(spec.attempt)}`
  const begun = clock.now()
  let quietSince = begun
  let seen = ''
  for (;;) {
    const { gone, busy, folder, exitCode, nativeId, spec: made } = await lookForTraces(at, spec)
    // The time of submission is not known: 0 lets any answer of the queue speak of it.
    if (nativeId !== undefined) return { nativeId, time: 0, ...(made ? { spec: made } : {}) }
    if (gone) return undefined
    // It was refused; its client is about to take the folder away, or was stopped before it could.
    const isRefused = exitCode !== undefined && exitCode !== 0
    if (isRefused && folder === seen && clock.now() - begun > settleMs.immediate) break
    const queue = await askQueue(at, script)
    if (queue.nativeId !== undefined)
      return { nativeId: queue.nativeId, time: 0, ...(made ? { spec: made } : {}) }
    const now = clock.now()
    if (busy || queue.silent || folder !== seen) quietSince = now
    seen = folder
    if (now - quietSince >= (scheduler.immediate ? settleMs.immediate : settleMs.queued)) break
    if (now - begun >= mostMs && queue.silent)
      throw new SubmitError(
        'SUBMIT_REFUSED',
        `job ${spec.id} on ${transport.name}: the scheduler does not say whether it has the job`,
        { transient: true, hint: `attach('${spec.id}') asks it again; the job is not made twice` },
      )
    if (now - begun >= mostMs)
      throw new SubmitError(
        'SUBMIT_REFUSED',
        `job ${spec.id} on ${transport.name}: another client has been submitting it for minutes`,
        { hint: `is the scheduler down? attach('${spec.id}') follows the job later` },
      )
    await clock.sleep(lookEveryMs)
  }
  const argv = ['sh', '-c', dropSubmissionScript, 'farcall', ...placeOf(workdir, spec), seen]
  await transport.exec({ argv })
  return undefined
}

async function lookForTraces({ transport, scheduler, workdir }: At, spec: JobSpec): Promise<Traces> {
  const files = [scriptFile(spec.attempt), specFile(spec.attempt)]
  const result = await transport.exec({
    argv: ['sh', '-c', cutOffScript, 'farcall', ...placeOf(workdir, spec), ...files],
  })
  if (result.exitCode !== 0) throw placeFailed(result, transport.name)
  const traces: Traces = { gone: false, busy: false, folder: '' }
  const out: string[] = []
  for (const line of Buffer.from(result.stdout).toString('utf8').split('\n')) {
    const space = line.indexOf(' ')
    const [mark, rest] = space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)]
    if (mark === 'gone') traces.gone = true
    if (mark === 'this') traces.folder = rest
    if (mark === 'busy') traces.busy = true
    if (mark === 'native' && rest !== '') traces.nativeId = rest.trim()
    if (mark === 'out') out.push(rest)
    if (mark === 'rc') traces.exitCode = Number(rest)
    if (mark === 'spec') traces.spec = parseSpec(rest)
  }
  if (traces.nativeId === undefined && out.length > 0 && (traces.exitCode ?? 0) === 0) {
    const nativeId = readAnswer(scheduler, out.join('\n'))
    if (nativeId !== undefined) traces.nativeId = nativeId
  }
  return traces
}

/** What was written of the scheduler's answer may be half of it. */
function readAnswer(scheduler: Scheduler, text: string): string | undefined {
  try {
    return scheduler.parseSubmit({ exitCode: 0, stdout: Buffer.from(text), stderr: '' })
  } catch (error) {
    if (error instanceof SubmitError) return undefined
    throw error
  }
}

/** `silent`: the scheduler does not answer now, which says nothing about the job. */
async function askQueue(
  { transport, scheduler }: At,
  script: string,
): Promise<{ nativeId?: string | undefined; silent?: boolean }> {
  const { findSubmitted } = scheduler
  if (!findSubmitted) return {}
  const result = await transport.exec(findSubmitted.command())
  try {
    return { nativeId: findSubmitted.parse(result, script) }
  } catch (error) {
    if (error instanceof FarcallError && error.transient) return { silent: true }
    throw error
  }
}

function placeOf(workdir: string, spec: JobSpec): string[] {
  return [workdir, spec.id, String(spec.attempt)]
}
