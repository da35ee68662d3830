/** What the commands that submit share: their options, and leaving a job to itself. */
import type { Command } from 'commander'
import type { Job } from '../client/job/job.ts'
import type { JobStream } from '../client/job/job-stream.ts'
import type { ClusterOptions } from '../client/options/options.ts'
import { ConfigError } from '../core/errors.ts'
import { printJson } from './print.ts'
import { resourceOptions, resourcesOf } from './resource-options.ts'
import { say } from './talk.ts'

export interface CallOptions {
  profile?: string
  tag?: string[]
  retries?: string
}

/** `what`: whose fault it is not when it is tried again. */
export function callFlags(command: Command, what: string): Command {
  command
    .option('--profile <name>', 'where it runs; default: the configuration’s')
    .option('--tag <tag>', 'a word to find it by; may be given again', (tag, before: string[] = []) => [
      ...before,
      tag,
    ])
    .option('--retries <number>', `tries again what failed for no fault of ${what}`)
  return resourceOptions(command)
}

/** @throws ConfigError OPTION_INVALID, UNIT_INVALID, VALUE_UNSAFE */
export function callOptions({ profile, tag, retries, ...options }: CallOptions): ClusterOptions {
  const retry = retries === undefined ? undefined : Number(retries)
  if (retry !== undefined && !(/^\d+$/.test(retries!) && Number.isSafeInteger(retry)))
    throw new ConfigError('OPTION_INVALID', `--retries: '${retries}' is no whole number`)
  return {
    ...resourcesOf(options as Record<string, unknown>),
    ...(profile === undefined ? {} : { profile }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(retry === undefined ? {} : { retry }),
  }
}

/** What would be submitted. */
export function showScript(script: string, { json }: { json?: true }): void {
  if (json) printJson({ script })
  else process.stdout.write(script)
}

export type Sent = Job<unknown> | JobStream<unknown, unknown>

/** Prints its id, once the scheduler has it; it goes on without us. */
export async function letGo(
  job: Sent,
  name: string,
  { json, profile }: { json?: true; profile?: string },
): Promise<void> {
  // Over with the program, at the latest; what goes wrong is for `detach` to tell.
  tellWhyItWaits(job).catch(() => {})
  try {
    await job.detach()
  } catch (error) {
    // What cannot go on alone does not stay behind either.
    await job.cancel(error)
    throw error
  }
  const { id, nativeId } = job
  if (json) printJson({ id, nativeId, function: name, ...(profile === undefined ? {} : { profile }) })
  else process.stdout.write(`${id}\n`)
  say(`farcall status ${id}, farcall logs ${id} --follow, farcall result ${id}`)
}

/** Of a site that does not take it at once. */
async function tellWhyItWaits(job: Sent): Promise<void> {
  let told: string | undefined
  for await (const { state, message } of job.updates()) {
    if (state !== 'NEW' && state !== 'QUEUED') return
    if (job.nativeId !== undefined) return
    if (message !== undefined && message !== told) say(`${job.id}: ${message}`)
    told = message
  }
}
