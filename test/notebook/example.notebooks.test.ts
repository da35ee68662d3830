import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { executeNotebook, makeDesk } from './desk.ts'
import { printed } from './kernel.ts'

const desk = makeDesk()
afterAll(desk.remove)

it('examples/02-notebook.ipynb runs from its first cell to its last', async () => {
  const example = fileURLToPath(new URL('../../examples/02-notebook.ipynb', import.meta.url))
  copyFileSync(example, join(desk.folder, '02-notebook.ipynb'))
  const [place, , map, shown, error] = await executeNotebook(desk, '02-notebook.ipynb')
  expect(place![0]!.data!['text/html']).toMatch(/local \*.*this machine/)
  expect(printed(map!)).toBe('3.14\n')
  const bar = map!.find(({ output_type }) => output_type === 'display_data')
  expect(bar!.data!['text/html']).toMatch(/<b>needle<\/b>.*12 of 12/)
  expect(shown![0]!.data!['text/html']!.match(/<rect/g)).toHaveLength(12)
  expect(printed(error!)).toMatch(/^TypeError: .*\n +at \(?cell 5, line 3\)?\n$/)
})
