import { mkdirSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { removeFolder } from '../../remove-folder.ts'
import { run } from '../processes.ts'

/** Before all tests: the runtime that jobs start, as it is now in the sources. After them: the run's folder goes. */
export default async function setup(project: TestProject): Promise<() => void> {
  const folder = project.config.env['FARCALL_TEST_FOLDER'] as string
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  await run(process.execPath, ['scripts/build.mjs', '--runtime'], { cwd: project.config.root })
  return () => removeFolder(folder)
}
