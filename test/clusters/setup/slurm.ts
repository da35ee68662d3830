import type { TestProject } from 'vitest/node'
import { type SlurmWithLogin, startCluster } from '../cluster.ts'
import { type Facts, facts } from './facts.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The two Slurms of this run, each with its login node: `inject('slurms')`. */
    slurms: { readonly accounting: Facts<SlurmWithLogin>; readonly plain: Facts<SlurmWithLogin> }
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = await Promise.allSettled([
    startCluster({ accounting: true }),
    startCluster({ accounting: false }),
  ])
  const up = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const stop = async () => {
    await Promise.all(up.map((cluster) => cluster.stop()))
  }
  const [accounting, plain] = up
  if (!accounting || !plain) {
    await stop()
    throw started.find((one) => one.status === 'rejected')?.reason
  }
  project.provide('slurms', { accounting: facts(accounting), plain: facts(plain) })
  return stop
}
