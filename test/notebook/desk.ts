import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { tslabBin, tslabFolder } from './tslab.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** Debian's, which has Jupyter; another Python may come first on the PATH. */
export const python = '/usr/bin/python3'

/** A folder with notebooks, farcall installed beside them, and settings, caches and records of its own. */
export interface Desk {
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  remove(): void
}

export interface DeskOptions {
  /** farcall.config.json; without it, the built-in profile `local`. */
  config?: object
}

export function makeDesk({ config }: DeskOptions = {}): Desk {
  const home = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER'] ?? tmpdir(), 'notebook-'))
  const folder = join(home, 'study')
  const modules = join(folder, 'node_modules')
  mkdirSync(modules, { recursive: true })
  linkPackages(join(repository, 'node_modules'), modules)
  linkPackages(join(tslabFolder, 'node_modules'), modules)
  for (const part of ['package.json', 'dist', 'templates'])
    cpSync(join(repository, part), join(modules, 'farcall', part), { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'study', private: true }))
  if (config) writeFileSync(join(folder, 'farcall.config.json'), JSON.stringify(config))
  const kernel = join(home, 'jupyter/kernels/tslab')
  mkdirSync(kernel, { recursive: true })
  // What `tslab install` writes, with the whole path.
  const argv = [join(tslabBin, 'tslab'), 'kernel', '--config-path={connection_file}']
  writeFileSync(
    join(kernel, 'kernel.json'),
    JSON.stringify({ argv, display_name: 'TypeScript', language: 'typescript' }),
  )
  return { folder, env: environment(home), remove: () => removeFolder(home) }
}

/** Those of an earlier call stay: each is the version that its first owner asked for. */
function linkPackages(from: string, to: string): void {
  for (const name of readdirSync(from)) {
    if (name.startsWith('.') || name === 'farcall') continue
    if (name.startsWith('@')) {
      mkdirSync(join(to, name), { recursive: true })
      linkPackages(join(from, name), join(to, name))
      continue
    }
    try {
      symlinkSync(join(from, name), join(to, name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

/** Nothing of the vitest around. */
function environment(home: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_STATE_HOME: join(home, 'state'),
    JUPYTER_PATH: join(home, 'jupyter'),
    JUPYTER_RUNTIME_DIR: join(home, 'runtime'),
    JUPYTER_CONFIG_DIR: join(home, 'jupyter-config'),
    IPYTHONDIR: join(home, 'ipython'),
  }
}

export interface Output {
  readonly output_type: 'stream' | 'display_data' | 'execute_result' | 'error' | 'update_display_data'
  readonly name?: 'stdout' | 'stderr'
  readonly text?: string
  readonly data?: Readonly<Record<string, string>>
  readonly ename?: string
  readonly evalue?: string
  readonly display?: string
}

interface Notebook {
  readonly cells: readonly { readonly cell_type: string; readonly outputs?: readonly RawOutput[] }[]
}

type RawOutput = Omit<Output, 'text' | 'data'> & {
  text?: string | string[]
  data?: Record<string, string | string[]>
}

const joined = (text: string | string[]): string => (Array.isArray(text) ? text.join('') : text)

/** Executes FILE.ipynb of the desk with Jupyter's nbconvert; gives the outputs of each code cell. */
export async function executeNotebook(desk: Desk, file: string): Promise<readonly (readonly Output[])[]> {
  const options = ['--to=notebook', '--execute', '--allow-errors', '--log-level=WARN', '--output=executed']
  // Seconds, for a kernel that starts, and for what is told late.
  options.push('--ExecutePreprocessor.startup_timeout=180', '--ExecutePreprocessor.iopub_timeout=60')
  await run(python, ['-m', 'nbconvert', ...options, file], { cwd: desk.folder, env: desk.env })
  const { cells } = JSON.parse(readFileSync(join(desk.folder, 'executed.ipynb'), 'utf8')) as Notebook
  return cells
    .filter(({ cell_type }) => cell_type === 'code')
    .map(({ outputs = [] }) =>
      outputs.map(({ text, data, ...rest }) => ({
        ...rest,
        ...(text === undefined ? {} : { text: joined(text) }),
        ...(data && {
          data: Object.fromEntries(Object.entries(data).map(([type, value]) => [type, joined(value)])),
        }),
      })),
    )
}

/** The sources of a notebook's code cells. */
export const codeCells = (notebook: string): string[] =>
  (JSON.parse(notebook) as { cells: { cell_type: string; source: string | string[] }[] }).cells
    .filter(({ cell_type }) => cell_type === 'code')
    .map(({ source }) => joined(source))

/** A notebook of these cells. */
export function writeNotebook(desk: Desk, name: string, cells: readonly string[], kernel = 'tslab'): void {
  const code = cells.map((source, n) => ({
    cell_type: 'code',
    id: `cell-${n + 1}`,
    execution_count: null,
    metadata: {},
    outputs: [],
    source,
  }))
  const metadata = { kernelspec: { name: kernel, display_name: kernel, language: 'typescript' } }
  writeFileSync(
    join(desk.folder, name),
    JSON.stringify({ cells: code, metadata, nbformat: 4, nbformat_minor: 5 }),
  )
}
