import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import type { Config } from '../../src/index.ts'
import { run } from '../clusters/processes.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const sources = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts',
  'src',
  'runtime',
  'templates',
]

export interface Outcome {
  code: number | null
  stdout: string
  stderr: string
  /** What it wrote to its folder for figures. */
  figure(name: string): string
}

/** The repository as after `npm ci`, in a folder of its own, and its examples run by the real command. */
export function builtExamples() {
  let folder = ''

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'farcall-examples-'))
    for (const path of [...sources, 'examples'])
      cpSync(join(root, path), join(folder, path), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    await run(process.execPath, ['scripts/build.mjs'], { cwd: folder })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** `farcall run examples/NAME -- ARGS` in an empty folder, with this configuration there. */
  return async (name: string, args: readonly string[], config?: Config, env: NodeJS.ProcessEnv = {}) => {
    const cwd = mkdtempSync(join(folder, 'user-'))
    const home = join(cwd, 'home')
    mkdirSync(home)
    if (config) writeFileSync(join(cwd, 'farcall.config.json'), JSON.stringify(config))
    const main = join(folder, 'dist/cli/main.js')
    const argv = [main, 'run', join(folder, 'examples', name), '--', '--out', join(cwd, 'out'), ...args]
    const child = spawn(process.execPath, argv, {
      cwd,
      env: { PATH: process.env['PATH'], HOME: home, ...env },
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    const figure = (file: string) => readFileSync(join(cwd, 'out', file), 'utf8')
    return { code, stdout, stderr, figure } satisfies Outcome
  }
}
