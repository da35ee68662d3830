import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { tool } from '../toolchains/tools.ts'
import { codeCells, type Desk, type DeskOptions, makeDesk, type Output } from './desk.ts'
import { type Kernel, printed, startKernel } from './kernel.ts'

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
  await expect.poll(() => failure(outputs) !== undefined || printed(outputs).endsWith('\n')).toBe(true)
  return failure(outputs) ?? JSON.parse(printed(outputs))
}

/** Runs the cells of examples/03-deno-notebook.ipynb, from the first to the last, where its jobs run by `profile`. */
export async function runDenoExample(desk: Desk, profile: RegExp): Promise<void> {
  const example = new URL('../../examples/03-deno-notebook.ipynb', import.meta.url)
  const kernel = await startKernel(desk, 'deno')
  try {
    const cells: (readonly Output[])[] = []
    for (const source of codeCells(readFileSync(example, 'utf8'))) cells.push(await kernel.run(source))
    const [place, definitions, map, shown] = cells
    // See said().
    await expect.poll(() => htmlOf(place!)).toMatch(profile)
    expect(definitions).toEqual([])
    await expect.poll(() => printed(map!)).toBe('3.14\n')
    await expect.poll(() => htmlOf(shown!).match(/<rect/g)).toHaveLength(12)
    expect(cells.map(failure)).toEqual(cells.map(() => undefined))
  } finally {
    await kernel.stop()
  }
}

/** All HTML of a cell, the newest last. */
const htmlOf = (outputs: readonly Output[]): string =>
  outputs.map(({ data }) => data?.['text/html'] ?? '').join('\n')
