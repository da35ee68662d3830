import type { TestProject } from 'vitest/node'
import { type Kubernetes, startKubernetes } from '../kubernetes.ts'
import { type Facts, facts } from './facts.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The cluster of this run: `inject('kubernetes')`. */
    kubernetes: Facts<Kubernetes>
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kubernetes = await startKubernetes()
  project.provide('kubernetes', facts(kubernetes))
  return () => kubernetes.stop()
}
