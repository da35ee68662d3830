import type { TestProject } from 'vitest/node'
import { type Sshd, startSshd } from '../sshd.ts'
import { type Facts, facts } from './facts.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The login node of this run: `inject('sshd')`. */
    sshd: Facts<Sshd>
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const sshd = await startSshd()
  project.provide('sshd', facts(sshd))
  return () => sshd.stop()
}
