import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { tool } from '../toolchains/tools.ts'
import { type Desk, type DeskOptions, executeNotebook, makeDesk, type Output } from './desk.ts'
import { type Kernel, printed } from './kernel.ts'

export interface DenoDeskOptions extends DeskOptions {
  /** How Jupyter interrupts the kernel; Deno installs it without. */
  interruptMode?: 'message'
}

/** A desk where Deno's kernel is installed, too. */
export function makeDenoDesk({ interruptMode, ...options }: DenoDeskOptions = {}): Desk {
  const desk = makeDesk(options)
  const folder = join(desk.env['JUPYTER_PATH']!, 'kernels/deno')
  mkdirSync(folder, { recursive: true })
  // What `deno jupyter --install` writes.
  const argv = [tool('deno/deno'), 'jupyter', '--kernel', '--conn', '{connection_file}']
  const spec = { argv, display_name: 'Deno', language: 'typescript', interrupt_mode: interruptMode }
  writeFileSync(join(folder, 'kernel.json'), JSON.stringify(spec))
  const dependencies = { farcall: '*', 'lodash-es': '*' }
  writeFileSync(
    join(desk.folder, 'package.json'),
    JSON.stringify({ name: 'study', private: true, dependencies }),
  )
  return desk
}

export const failure = (outputs: readonly Output[]): string | undefined => {
  const error = outputs.find(({ output_type }) => output_type === 'error')
  return error && `${error.ename}: ${error.evalue}`
}

/** Runs a cell that prints a line of JSON: gives its value, or the error of the cell. */
export async function said(kernel: Kernel, code: string): Promise<unknown> {
  const outputs = await kernel.run(code)
  // Deno tells that it is idle before it has told all that was printed.
  await expect.poll(() => failure(outputs) ?? printed(outputs)).toMatch(/./)
  return failure(outputs) ?? JSON.parse(printed(outputs))
}

/** Runs examples/03-deno-notebook.ipynb from its first cell to its last, where its jobs run by `profile`. */
export async function runDenoExample(desk: Desk, profile: RegExp): Promise<void> {
  const example = fileURLToPath(new URL('../../examples/03-deno-notebook.ipynb', import.meta.url))
  copyFileSync(example, join(desk.folder, '03-deno-notebook.ipynb'))
  const [place, , map, shown] = await executeNotebook(desk, '03-deno-notebook.ipynb')
  expect(place![0]!.data!['text/html']).toMatch(profile)
  expect(printed(map!)).toBe('3.14\n')
  expect(shown![0]!.data!['text/html']!.match(/<rect/g)).toHaveLength(12)
}
