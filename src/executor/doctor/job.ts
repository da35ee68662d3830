/** A tiny job, submitted as a call's is, and what it tells of the node that it ran on. */
import type { Clock } from '../../core/clock.ts'
import { SubmitError } from '../../core/errors.ts'
import { newJobId } from '../../core/ids.ts'
import type { NodePlatform } from '../../core/interpreter.ts'
import type { Profile } from '../../core/profile.ts'
import { resolveResources } from '../../core/resolve-resources.ts'
import type { ResolvedResources } from '../../core/resources.ts'
import { isFinal, type JobStatus } from '../../core/status.ts'
import { renderDirectives } from '../../scheduler/directives.ts'
import { renderScript } from '../../scheduler/render.ts'
import type { Directives, Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import { askAccounting, askQueue } from '../batch/queue.ts'
import { readFacts, shownLibc } from './survey.ts'

export interface JobPlace {
  readonly transport: Transport
  readonly scheduler: Scheduler
  readonly profile: Profile
  readonly workdir: string
}

export interface NodeReport {
  readonly host: string
  readonly machine: string
  readonly cores: number
  readonly partition: string
  readonly libc: string
  /** Of the one that a call takes there; path and version are '' where there is none that will do. */
  readonly node: { readonly path: string; readonly version: string; readonly from: string }
  /** For a Node to be sent there: what it must run on, and what was looked at. */
  readonly need?: { readonly platform: NodePlatform; readonly missed: string }
  /** What kept the job from getting as far as Node. */
  readonly problem?: { readonly reason: string; readonly message: string }
  /** Seconds since the epoch by the node's clock; and the login node's, a moment later. */
  readonly clock: number
  readonly loginClock: number
}

export interface JobAnswer {
  readonly nativeId: string
  /** Until its report was seen, or it was given up, seconds. */
  readonly seconds: number
  readonly report?: NodeReport
  /** Until what the node wrote was seen here, and the answer there, seconds; absent: it never was. */
  readonly thereAndBack?: number
  /** Where the job stood last, when there is no report. */
  readonly status?: JobStatus
  /** It was given up while it waited or ran. */
  readonly gaveUp?: boolean
}

/** The profile's, but small: what decides whether and where it may run stays. */
export function tinyResources(resources: ResolvedResources): ResolvedResources {
  const { partition, account, qos, constraint, reservation, nodelist, exclude, licenses, gpus, native } =
    resources
  const kept = { partition, account, qos, constraint, reservation, nodelist, exclude, licenses, gpus, native }
  const asked = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined))
  return { ...(asked as ResolvedResources), timeSeconds: 120 }
}

const exits = { unusable: 71 } as const

/** $1 work folder, $2 id, then the submission. stdin: the script. What earlier doctors left, when they were killed, goes. */
const submitScript = `umask 077
cd -- "$1" && mkdir -p "doctor/$2" || exit ${exits.unusable}
find doctor -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf {} + 2>/dev/null
cat >"doctor/$2/job.sh" && : >"doctor/$2/here" || exit ${exits.unusable}
shift 2
exec "$@"`

/** Waits for the report, answers it, waits for what the node says to that. $1 folder, $2 looks, a tenth of a second each. */
const watchScript = `cd -- "$1" || exit ${exits.unusable}
looks=$2
until set -- repor[t] && [ -s "$1" ]; do
  looks=$((looks - 1))
  [ "$looks" -gt 0 ] || exit 0
  sleep 0.1 2>/dev/null || sleep 1
done
: >answer
date +%s
cat report
! grep -q '^problem' report || exit 0
looks=300
until set -- see[n] && [ -s "$1" ]; do
  looks=$((looks - 1))
  [ "$looks" -gt 0 ] || exit 0
  sleep 0.1 2>/dev/null || sleep 1
done
printf 'seen %s\\n' "$(cat seen)"`

/** Seconds that a job may be gone without a report being seen: files lag. */
const graceSeconds = 30

export interface JobOptions {
  /** How long it may wait for its turn and run, seconds. */
  readonly waitSeconds: number
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
  /** Where it stands, for whoever watches. */
  readonly onStatus?: ((text: string) => void) | undefined
}

/** @throws SubmitError when it is refused, ConfigError when its script cannot be made */
export async function tryJob(place: JobPlace, options: JobOptions): Promise<JobAnswer> {
  const id = newJobId()
  const folder = `${place.workdir}/doctor/${id}`
  let nativeId: string | undefined
  let over = false
  try {
    nativeId = await submit(place, id)
    options.onStatus?.(`job ${nativeId} is submitted`)
    const answer = await follow(place, folder, nativeId, options)
    over = answer.gaveUp !== true
    return answer
  } finally {
    const { transport, scheduler } = place
    if (nativeId !== undefined && !over) await transport.exec(scheduler.cancel([nativeId]))
    await transport.remove([folder])
  }
}

async function submit({ transport, scheduler, profile, workdir }: JobPlace, id: string): Promise<string> {
  const resources = tinyResources(resolvedOf(profile))
  const directives: Directives = {
    ...resources,
    ...(scheduler.directives.timeSeconds === 'unsupported' ? { timeSeconds: undefined } : {}),
    name: 'farcall-doctor',
    // The node may not see the folder, which is one of the questions.
    log: '/dev/null',
  } as Directives
  // They are for the user's function alone.
  const { secrets: _, ...environment } = profile.environment ?? {}
  const script = renderScript('doctor.sh.liquid', {
    directives: renderDirectives(scheduler, directives),
    id,
    attempt: 1,
    members: 1,
    items: 1,
    chunk: 1,
    workdir,
    runtime: '',
    client: 'doctor',
    memberVariable: '',
    memberBase: 0,
    restartCount: '0',
    environment,
  })
  const command = scheduler.submit(`${workdir}/doctor/${id}/job.sh`, directives)
  const argv = ['sh', '-c', submitScript, 'farcall', workdir, id, ...command.argv]
  const result = await transport.exec({ argv, stdin: script })
  if (result.exitCode === exits.unusable)
    throw new SubmitError('WORKDIR_UNUSABLE', `${workdir} on ${transport.name}: ${result.stderr.trim()}`, {
      hint: 'free some space if the disk is full or your quota used up; or name another workdir',
    })
  return scheduler.parseSubmit(result)
}

async function follow(
  place: JobPlace,
  folder: string,
  nativeId: string,
  { waitSeconds, clock, signal, onStatus }: JobOptions,
): Promise<JobAnswer> {
  const begun = clock.now()
  const seconds = () => (clock.now() - begun) / 1000
  let goneAt: number | undefined
  let status: JobStatus | undefined
  for (let round = 0; ; round++) {
    signal?.throwIfAborted()
    // The first looks are short, so that a job which comes to nothing is told of soon.
    const looks = round < 2 ? 20 : 50
    const watched = await place.transport.exec(
      { argv: ['sh', '-c', watchScript, 'farcall', folder, String(looks)] },
      { timeoutMs: 90_000, ...(signal ? { signal } : {}) },
    )
    const found = readAnswer(Buffer.from(watched.stdout).toString('utf8'))
    if (found) return { nativeId, seconds: seconds(), ...found }
    if (goneAt === undefined) {
      const last = await whereIs(place, nativeId)
      status = last ?? status
      if (last === undefined || isFinal(last.state)) goneAt = clock.now()
      else
        onStatus?.(
          `job ${nativeId} ${last.state === 'QUEUED' ? `waits: ${last.message ?? 'its turn has not come'}` : 'runs'}`,
        )
    }
    if (goneAt !== undefined && isConclusive(status))
      return { nativeId, seconds: seconds(), ...(status && { status }) }
    if (goneAt !== undefined && (clock.now() - goneAt) / 1000 > graceSeconds)
      return { nativeId, seconds: seconds(), ...(status && { status }) }
    if (goneAt === undefined && seconds() > waitSeconds)
      return { nativeId, seconds: seconds(), ...(status && { status }), gaveUp: true }
  }
}

/** Its exit code, or why it never began, says it: no file will come. */
function isConclusive(status: JobStatus | undefined): boolean {
  if (status === undefined) return false
  return status.reason === 'launch-failed' || [72, 73, 74].includes(status.exitCode ?? 0)
}

async function whereIs(place: JobPlace, nativeId: string): Promise<JobStatus | undefined> {
  const { snapshot } = await askQueue(place, [nativeId], 0)
  const queued = snapshot.get(nativeId)?.status
  if (queued && !isFinal(queued.state)) return queued
  const accounting = await askAccounting(place, [nativeId])
  return accounting?.get(nativeId)?.status ?? queued
}

/** Of watchScript's words; undefined: no report yet. */
export function readAnswer(text: string): Pick<JobAnswer, 'report' | 'thereAndBack'> | undefined {
  const newline = text.indexOf('\n')
  if (newline < 0) return undefined
  const facts = readFacts(text.slice(newline + 1))
  const fact = (key: string) => facts.get(key) ?? ''
  const seen = facts.get('seen')
  const reason = facts.get('problem.reason')
  return {
    report: {
      host: fact('host'),
      machine: fact('machine'),
      cores: Number(fact('cores')) || 0,
      partition: fact('partition'),
      libc: shownLibc(fact('libc')),
      node: { path: fact('node.path'), version: fact('node.version'), from: fact('node.from') },
      ...(facts.has('need.missed')
        ? { need: { platform: platformOf(fact), missed: fact('need.missed') } }
        : {}),
      ...(reason === undefined ? {} : { problem: { reason, message: fact('problem.message') } }),
      clock: Number(fact('ms')) / 1000,
      loginClock: Number(text.slice(0, newline)),
    },
    ...(seen === undefined ? {} : { thereAndBack: Number(seen) / 1000 }),
  }
}

function platformOf(fact: (key: string) => string): NodePlatform {
  const [host, arch, glibc, stdcxx] = [
    fact('host'),
    fact('need.arch'),
    fact('need.glibc'),
    fact('need.stdcxx'),
  ]
  return { host, arch, glibc, stdcxx, musl: fact('need.musl') === 'true' }
}

function resolvedOf(profile: Profile): ResolvedResources {
  return resolveResources(profile.resources ?? {}, 'resources.')
}
