import type { QueuedJob, QueuedJobs } from '../core/queued-job.ts'
import type { CommandResult } from '../core/shell.ts'
import { requireAnswer, text } from './slurm-answers.ts'
import { readLimit } from './slurm-capacity.ts'
import { gpuCount } from './slurm-gres.ts'
import { slurmStatus } from './slurm-status.ts'
import { readIndexes } from './snapshot.ts'

/** Of everyoneScript: who asks, then a line for each job, or for the members of an array that wait. */
export function parseEveryone(result: CommandResult): QueuedJobs {
  requireAnswer(result, 'squeue')
  const lines = text(result).split('\n')
  const user = /^me (.*)$/m.exec(text(result))?.[1] ?? ''
  return { user, jobs: lines.flatMap((line) => readJob(line) ?? []) }
}

const line = new RegExp(`^(\\d+(?:_\\S+)?)\\|${'([^|]*)\\|'.repeat(14)}(.*)\\|\\s*$`)

function readJob(said: string): QueuedJob | undefined {
  const match = line.exec(said)
  if (!match) return undefined
  const [, nativeId, partition, user, word, nodeCount, coreCount, allocated, perJob, perNode] = match
  const [submitted, started, ran, limit, where, reason, name] = match.slice(10)
  const status = slurmStatus({ word: word!, reason })
  const waits = status.state === 'QUEUED'
  const nodes = Number(nodeCount) || undefined
  const onEach = gpuCount(perNode!)
  const gpus = gpuCount(allocated!) ?? gpuCount(perJob!) ?? (onEach && onEach * (nodes ?? 1))
  const facts = {
    partition: partition || undefined,
    members: membersOf(nativeId!),
    nodes,
    cores: Number(coreCount) || undefined,
    gpus,
    memory: readMemory(allocated!),
    submittedAt: readTime(submitted!),
    startedAt: waits ? undefined : readTime(started!),
    timeLimitSeconds: readLimit(limit!),
    elapsedSeconds: waits ? undefined : readLimit(ran!),
    where: where || undefined,
  }
  const told = Object.entries(facts).filter(([, value]) => value !== undefined)
  return { nativeId: nativeId!, name: name!, user: user!, status, ...Object.fromEntries(told) }
}

/** Of '12_[2-9%2]'; a list that is cut off says no number. */
function membersOf(id: string): number | undefined {
  const list = /^\d+_\[(.*?)(?:%\d+)?\]$/.exec(id)?.[1]
  return list === undefined ? undefined : readIndexes(list)?.length
}

/** Milliseconds of seconds since the epoch; undefined for N/A. */
function readTime(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) * 1000 : undefined
}

/** Bytes of 'cpu=2,mem=500M,node=1'. */
function readMemory(tres: string): number | undefined {
  const [, size, unit = ''] = /(?:^|,)mem=(\d+(?:\.\d+)?)([KMGTP]?)(?:,|$)/.exec(tres) ?? []
  if (size === undefined) return undefined
  // Without a unit it is MB, as with --mem.
  const power = unit === '' ? 2 : 'KMGTP'.indexOf(unit) + 1
  return Math.round(Number(size) * 1024 ** power)
}
