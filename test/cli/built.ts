import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll } from 'vitest'
import { removeFolder } from '../remove-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Outcome {
  stdout: string
  stderr: string
  code: number | null
  signal: NodeJS.Signals | null
}

/** The package as it is published, compiled afresh by the first file of the run that needs it. */
function compiledPackage(): string {
  const folder = join(process.env['FARCALL_TEST_FOLDER']!, 'package')
  if (existsSync(folder)) return folder
  const made = mkdtempSync(`${folder}-`)
  cpSync(join(root, 'package.json'), join(made, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(made, 'node_modules'))
  for (const path of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue
    const { outputText } = ts.transpileModule(readFileSync(join(root, 'src', path), 'utf8'), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
      fileName: path,
    })
    const out = join(made, 'dist', path.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(out), { recursive: true })
    writeFileSync(out, outputText)
  }
  try {
    renameSync(made, folder)
  } catch (error) {
    // Another file was faster, with the same.
    if (!existsSync(folder)) throw error
    removeFolder(made)
  }
  return folder
}

/** The compiled package, which is only read, and a folder for the files of users. */
export function builtPackage() {
  const folders = { package: '', user: '' }

  beforeAll(() => {
    folders.package = compiledPackage()
    folders.user = mkdtempSync(join(tmpdir(), 'farcall-user-test-'))
  })
  afterAll(() => removeFolder(folders.user))

  const write = (files: Record<string, string | object>) => {
    for (const [path, content] of Object.entries(files)) {
      const file = join(folders.user, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
    }
  }
  /** Starts `farcall ARGS` in the user's folder, with an environment that holds nothing of ours; FARCALL_TEST_NODE names another Node. */
  const start = (args: readonly string[], { cwd = '.', env = {} as NodeJS.ProcessEnv } = {}) =>
    spawn(
      process.env['FARCALL_TEST_NODE'] ?? process.execPath,
      [join(folders.package, 'dist/cli/main.js'), ...args],
      {
        cwd: join(folders.user, cwd),
        env: { PATH: process.env['PATH'], HOME: folders.user, ...env },
      },
    )
  const farcall = (
    args: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv; stdin?: string } = {},
  ) =>
    new Promise<Outcome>((resolve, reject) => {
      const child = start(args, options)
      let stdout = ''
      let stderr = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
      })
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ stdout, stderr, code, signal }))
      child.stdin.end(options.stdin ?? '')
    })
  return { folders, write, start, farcall }
}
