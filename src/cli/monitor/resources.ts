import type { Command } from 'commander'
import { type ResourcesSeen, watchResources } from '../../client/watch-resources.ts'
import { parseDuration } from '../../core/units.ts'
import { type FormatOptions, wantsJson } from '../table-or-json.ts'
import { clockTime, duration, Stopper, say, watchExitCodes } from '../until-stopped.ts'

interface Options extends FormatOptions {
  minGpus: string
  partition?: string
  continuous?: true
  interval?: string
  timeout?: string
  profile?: string
}

export async function monitorResources(options: Options, command: Command): Promise<void> {
  const { partition, continuous, interval, timeout, profile } = options
  const minGpus = Number(options.minGpus)
  if (!/^\d+$/.test(options.minGpus) || minGpus < 1)
    command.error(`error: --min-gpus: '${options.minGpus}' is no number from 1`, { exitCode: 2 })
  const stopper = new Stopper(
    timeout === undefined ? undefined : parseDuration(duration(timeout), '--timeout'),
  )
  const watch = watchResources({
    minGpus,
    signal: stopper.signal,
    onTrouble: (error) => say(`${error.message.split('\n')[0]}; trying again`),
    ...(partition === undefined ? {} : { partition }),
    ...(interval === undefined ? {} : { interval: duration(interval) }),
    ...(profile === undefined ? {} : { profile }),
  })
  try {
    for await (const seen of watch) {
      const isWait = !seen.enough && !continuous
      if (isWait) say(`${textOf(seen, minGpus)}; waiting`)
      else if (wantsJson(options)) process.stdout.write(`${JSON.stringify(seen)}\n`)
      else process.stdout.write(`${clockTime(seen.time)}  ${textOf(seen, minGpus)}\n`)
      if (seen.enough && !continuous) break
    }
  } finally {
    stopper.done()
  }
  if (stopper.exitCode === watchExitCodes.timedOut) say('the time is over')
  process.exitCode = stopper.exitCode ?? 0
}

/** 'gpu has 4 free GPUs of 8', 'gpu has 1 free GPU of 8, long 0 of 2': of those that have any. */
export function textOf({ partitions, profile }: ResourcesSeen, minGpus: number): string {
  const having = partitions.filter(({ gpus }) => (gpus?.total ?? 0) > 0)
  const enough = having.filter(({ gpus }) => gpus!.free >= minGpus)
  const told = (enough.length > 0 ? enough : having).map(
    ({ name, gpus }) => `${name} ${gpus!.free} of ${gpus!.total}`,
  )
  return `${profile}: ${enough.length > 0 ? '' : `no partition has ${minGpus} `}free GPUs: ${told.join(', ')}`
}
