import type { TestProject } from 'vitest/node'
import { run } from '../processes.ts'

/** Before tests that start programs: dist, as the sources are now. */
export default async function setup(project: TestProject): Promise<void> {
  await run(process.execPath, ['scripts/build.mjs', '--if-stale'], { cwd: project.config.root })
}
