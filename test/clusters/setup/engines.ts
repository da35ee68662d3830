import type { TestProject } from 'vitest/node'
import { type Engines, startEngines } from '../engines.ts'
import { type Facts, facts } from './facts.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The container engines of this run: `inject('engines')`. */
    engines: Facts<Engines>
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engines = await startEngines()
  project.provide('engines', facts(engines))
  return () => engines.stop()
}
