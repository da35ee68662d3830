import type { Command } from 'commander'
import { resourcesText } from '../../client/place/place-text.ts'
import { watchResources } from '../../client/place/watch-resources.ts'
import { clockTime } from '../../core/clock.ts'
import { parseDuration } from '../../core/units.ts'
import { type FormatOptions, isoTimes, wantsJson } from '../print.ts'
import { duration, Stopper, sayNow, watchExitCodes } from '../until-stopped.ts'

interface Options extends FormatOptions {
  minGpus: string
  partition?: string
  continuous?: true
  interval?: string
  timeout?: string
  profile?: string
  notify?: true
}

export async function monitorResources(options: Options, command: Command): Promise<void> {
  const { partition, continuous, interval, timeout, profile, notify } = options
  const minGpus = Number(options.minGpus)
  if (!/^\d+$/.test(options.minGpus) || minGpus < 1)
    command.error(`error: --min-gpus: '${options.minGpus}' is no number from 1`, { exitCode: 2 })
  const stopper = new Stopper(
    timeout === undefined ? undefined : parseDuration(duration(timeout), '--timeout'),
  )
  const watch = watchResources({
    minGpus,
    signal: stopper.signal,
    onTrouble: (error) => sayNow(`${error.message.split('\n')[0]}; trying again`),
    ...(partition === undefined ? {} : { partition }),
    ...(interval === undefined ? {} : { interval: duration(interval) }),
    ...(profile === undefined ? {} : { profile }),
    ...(notify ? { notify } : {}),
  })
  try {
    for await (const seen of watch) {
      const isWait = !seen.enough && !continuous
      if (isWait) sayNow(`${resourcesText(seen, minGpus)}; waiting`)
      else if (wantsJson(options)) process.stdout.write(`${JSON.stringify(seen, isoTimes)}\n`)
      else process.stdout.write(`${clockTime(seen.time)}  ${resourcesText(seen, minGpus)}\n`)
      if (seen.enough && !continuous) break
    }
  } finally {
    stopper.done()
  }
  if (stopper.exitCode === watchExitCodes.timedOut) sayNow('the time is over')
  process.exitCode = stopper.exitCode ?? 0
}
