import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { type Desk, executeNotebook } from './desk.ts'
import { printed } from './kernel.ts'

/** Runs examples/02-notebook.ipynb from its first cell to its last, where its jobs run by `profile`. */
export async function runExample(desk: Desk, profile: RegExp): Promise<void> {
  const example = fileURLToPath(new URL('../../examples/02-notebook.ipynb', import.meta.url))
  copyFileSync(example, join(desk.folder, '02-notebook.ipynb'))
  const [place, , map, shown, error] = await executeNotebook(desk, '02-notebook.ipynb')
  expect(place![0]!.data!['text/html']).toMatch(profile)
  expect(printed(map!)).toBe('3.14\n')
  const bar = map!.find(({ output_type }) => output_type === 'display_data')
  expect(bar!.data!['text/html']).toMatch(/<b>needle<\/b>.*12 of 12/)
  expect(shown![0]!.data!['text/html']!.match(/<rect/g)).toHaveLength(12)
  expect(shown![1]!.data!['text/html']).toMatch(
    />[.\d]+ of 300 s<.*time of the items<\/b><\/div><svg .*<rect /,
  )
  expect(printed(error!)).toMatch(/^TypeError: .*\n +at \(?cell 5, line 3\)?\n$/)
}
