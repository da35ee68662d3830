import { readBytes } from './sge-answers.ts'
import type { SgeResource } from './sge-site.ts'

/** What a job of `qstat -r -xml` asks of a resource, or is given of it by default. */
export function requestOf(job: string, name: string): string | undefined {
  for (const kind of ['hard_request', 'def_hard_request'])
    for (const [, resource, value] of job.matchAll(
      new RegExp(`<${kind} name="([\\w-]+)"[^<>]*>([^<]*)</${kind}>`, 'g'),
    ))
      if (resource === name) return value
  return undefined
}

const inner = (job: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(job)?.[1]

/**
 * What a job has of a counted resource on this node: for each of its slots there, or once for all of it, with the first
 * that `seen` is told of.
 */
export function amountAsked(job: string, { name, perSlot }: SgeResource, seen: Set<string>): number {
  const asked = readBytes(requestOf(job, name)) ?? 0
  if (perSlot) return asked * (Number(inner(job, 'slots')) || 1)
  const key = `${name}\0${inner(job, 'JB_job_number')}\0${inner(job, 'tasks') ?? ''}`
  if (seen.has(key)) return 0
  seen.add(key)
  return asked
}
