import type { TestProject } from 'vitest/node'
import { type SgeWithLogin, startSgeCluster } from '../cluster.ts'
import { type Facts, facts } from './facts.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The Grid Engine of this run, with its login node: `inject('sge')`. */
    sge: Facts<SgeWithLogin>
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await startSgeCluster()
  project.provide('sge', facts(cluster))
  return () => cluster.stop()
}
