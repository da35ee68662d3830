import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeFolder } from '../remove-folder.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** What is in the repository and may end up in a tarball, wanted or not. */
const sources = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'docs',
  'examples',
  'runtime',
  'scripts',
  'src',
  'templates',
  'test',
]

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs to the end; the words of a failure are in what it gives. */
export function execute(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}) {
  return new Promise<Outcome>((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
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
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await execute('npm', [...args, '--no-audit', '--no-fund'], cwd)
  if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
  return stdout
}

/** `npm pack` in a copy of the repository, once for all tests of a run; gives the tarball. */
export async function pack(): Promise<string> {
  const folder = join(process.env['FARCALL_TEST_FOLDER'] ?? tmpdir(), 'packed')
  const made = existsSync(folder) && readdirSync(folder).find((name) => name.endsWith('.tgz'))
  if (made) return join(folder, made)
  mkdirSync(folder, { recursive: true })
  const copy = mkdtempSync(join(tmpdir(), 'farcall-pack-'))
  try {
    for (const path of sources) cpSync(join(root, path), join(copy, path), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const report = await npm(['pack', '--json', '--pack-destination', folder], copy)
    // The build of `prepare` may print before it.
    const [{ filename }] = JSON.parse(report.slice(report.lastIndexOf('\n[') + 1)) as [{ filename: string }]
    return join(folder, filename)
  } finally {
    removeFolder(copy)
  }
}

/** The Node that users' programs are run with here: FARCALL_TEST_NODE names another one. */
const node = process.env['FARCALL_TEST_NODE'] ?? process.execPath

/** The tarball's files in an empty folder. */
export async function unpack(tarball: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const { code, stderr } = await execute('tar', ['-xzf', tarball, '--strip-components=1'], folder)
  if (code !== 0) throw new Error(stderr)
}

/** Lets the node_modules of a folder have a package of this repository. */
export function link(name: string, folder: string): void {
  const path = join(folder, 'node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), path)
}

/** An empty folder into which the tarball was installed as its README says. */
export async function install(tarball: string, flags: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-app-'))
  await npm(['init', '-y'], folder)
  await npm(['install', '--prefer-offline', '--fetch-retries=5', ...flags, tarball], folder)
  const env = {
    HOME: folder,
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
    // npm links the command of the app; its first line looks for node.
    PATH: [dirname(node), process.env['PATH']].join(delimiter),
  }
  return {
    folder,
    /** `npx farcall ARGS` in the folder. */
    farcall: (...args: string[]) => execute(join(folder, 'node_modules/.bin/farcall'), args, folder, env),
    node: (...args: string[]) => execute(node, args, folder, env),
    remove: () => removeFolder(folder),
  }
}

export type App = Awaited<ReturnType<typeof install>>
