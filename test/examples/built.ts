import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import type { Config } from '../../src/index.ts'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

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

/** How a program is run: in a folder of its own with this configuration and these files in it. */
interface Program {
  readonly args?: readonly string[]
  readonly config?: Config
  readonly env?: NodeJS.ProcessEnv
  /** Files of the folder, by path. */
  readonly files?: Readonly<Record<string, string>>
}

/** The repository as after `npm ci`, in a folder of its own, and programs run by the real command. */
export function builtPrograms() {
  let folder = ''

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'farcall-examples-'))
    for (const path of [...sources, 'examples'])
      cpSync(join(root, path), join(folder, path), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    await run(process.execPath, ['scripts/build.mjs'], { cwd: folder })
  }, 600_000)
  afterAll(() => removeFolder(folder))

  /** `farcall run FILE -- ARGS`; a path that is not absolute is the built repository's, or one of `files`. */
  return async (file: string, { args = [], config, env = {}, files = {} }: Program = {}) => {
    const cwd = mkdtempSync(join(folder, 'user-'))
    const home = join(cwd, 'home')
    mkdirSync(home)
    if (config) writeFileSync(join(cwd, 'farcall.config.json'), JSON.stringify(config))
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(cwd, path)), { recursive: true })
      writeFileSync(join(cwd, path), content)
    }
    const main = join(folder, 'dist/cli/main.js')
    const argv = [main, 'run', file in files ? file : join(folder, file), '--', ...args]
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
    return { code, stdout, stderr, cwd }
  }
}

/** `farcall run examples/NAME -- --out out ARGS` in an empty folder, with this configuration there. */
export function builtExamples() {
  const program = builtPrograms()
  return async (name: string, args: readonly string[], config?: Config, env: NodeJS.ProcessEnv = {}) => {
    const asked = { args: ['--out', 'out', ...args], env, ...(config && { config }) }
    const { cwd, ...said } = await program(join('examples', name), asked)
    const figure = (file: string) => readFileSync(join(cwd, 'out', file), 'utf8')
    return { ...said, figure } satisfies Outcome
  }
}
