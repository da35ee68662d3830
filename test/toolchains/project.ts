import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeFolder } from '../remove-folder.ts'

export const repository = fileURLToPath(new URL('../..', import.meta.url))
const fixtures = join(repository, 'test/fixtures/projects')

const parent = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER'] ?? tmpdir(), 'toolchains-'))

/** farcall as it is installed, beside the packages that it and the programs need. */
function installPackages(): void {
  const modules = join(parent, 'node_modules')
  mkdirSync(modules, { recursive: true })
  for (const name of readdirSync(join(repository, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(repository, 'node_modules', name), join(modules, name))
  for (const part of ['package.json', 'dist', 'templates'])
    cpSync(join(repository, part), join(modules, 'farcall', part), { recursive: true })
  cpSync(join(fixtures, 'capture/packages/lodashish'), join(modules, 'lodashish'), { recursive: true })
  writeFileSync(
    join(modules, 'lodashish/index.d.ts'),
    'export declare const sum: (list: readonly number[]) => number\n',
  )
}

export interface Project {
  readonly folder: string
  /** 'file.ts:LINE:COLUMN' of the first place in src/FILE that reads so. */
  place(file: string, text: string): string
}

export interface ProjectOptions {
  type?: 'module' | 'commonjs'
  compilerOptions?: object
  /** Files of the project, by their path in it. */
  files?: Record<string, string | object>
  /** No enums: for what only takes types away. */
  plain?: boolean
  /** Imports without '.ts', as CommonJS has them. */
  bare?: boolean
}

const options = {
  target: 'ES2022',
  lib: ['ES2023'],
  module: 'NodeNext',
  types: ['node'],
  strict: true,
  skipLibCheck: true,
  rootDir: 'src',
  outDir: 'build',
  sourceMap: true,
  rewriteRelativeImportExtensions: true,
}

let projects = 0

/** The program of test/fixtures/projects/toolchains in a folder of its own. */
export function makeProject({
  type = 'module',
  compilerOptions = {},
  files = {},
  plain = false,
  bare = false,
}: ProjectOptions = {}): Project {
  if (!existsSync(join(parent, 'node_modules'))) installPackages()
  const folder = join(parent, `p${projects++}`)
  cpSync(join(fixtures, 'toolchains'), folder, { recursive: true })
  const src = (name: string) => join(folder, 'src', name)
  if (plain) renameSync(src('mode.plain.ts'), src('mode.ts'))
  else rmSync(src('mode.plain.ts'))
  if (bare)
    for (const name of readdirSync(join(folder, 'src')))
      writeFileSync(src(name), readFileSync(src(name), 'utf8').replace(/(from '\.\/[\w-]+)\.ts'/g, "$1'"))
  const all: Record<string, string | object> = {
    'package.json': { name: 'study', private: true, type },
    'tsconfig.json': {
      compilerOptions: { ...options, ...compilerOptions },
      include: ['src'],
      exclude: ['src/*.spec.ts'],
    },
    'farcall.config.json': {
      defaultProfile: 'here',
      profiles: {
        here: { scheduler: 'direct', workdir: join(folder, 'work'), queryInterval: '1s' },
      },
    },
    ...files,
  }
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return {
    folder,
    place(file, text) {
      const lines = readFileSync(src(file), 'utf8').split('\n')
      const line = lines.findIndex((candidate) => candidate.includes(text))
      return `${src(file)}:${line + 1}:${lines[line]!.indexOf(text) + 1}`
    },
  }
}

export function removeProjects(): void {
  removeFolder(parent)
}

export interface Outcome {
  stdout: string
  stderr: string
  code: number | null
}

const most = 2
let running = 0
const waiting: (() => void)[] = []

/** A program from its start to its end; no more at a time than the machine has cores for. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { cwd, env = {}, stdin = '' }: { cwd: string; env?: Record<string, string>; stdin?: string },
): Promise<Outcome> {
  if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
  running++
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        cwd,
        // Bundles of one project name its files, so that those of its copies are not to be met.
        env: { ...cleanEnvironment(), XDG_CACHE_HOME: join(cwd, 'cache'), ...env },
      })
      let stdout = ''
      let stderr = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
      })
      child.on('error', reject)
      child.on('close', (code) => resolve({ stdout, stderr, code }))
      child.stdin.end(stdin)
    })
  } finally {
    running--
    waiting.shift()?.()
  }
}

/** Nothing of the vitest around, which the programs (and the vitest among them) would take for theirs. */
function cleanEnvironment(): Record<string, string> {
  const { PATH, HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME } = process.env
  const env = { PATH, HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME }
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => !!entry[1]))
}
