import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { buildLibrary, runProject, writeProject } from './project.ts'

const library = buildLibrary('edited')
afterAll(() => rmSync(library))

const head = "import { cluster } from 'farcall'\nimport { writeFileSync, readFileSync } from 'node:fs'\n"
/** The program itself changes the file, before anything of it was captured. */
const edit = (file: string) => `
const file = new URL(${JSON.stringify(file)}, import.meta.url)
writeFileSync(file, readFileSync(file, 'utf8').replace('x + 1', 'x + 2'))
`

describe('a file that is edited while the program runs', () => {
  it('is taken as it runs', () => {
    const add = 'export const add = (x) => x + 1\n'
    const root = writeProject({
      'add.js': add,
      'main.js': `${head}import { add } from './add.js'\n${edit('./add.js')}\nexport const f = cluster(() => add(1))`,
    })
    const outcome = runProject(root, library)['f']!
    expect(readFileSync(join(root, 'add.js'), 'utf8')).not.toBe(add)
    expect(outcome.stack).toBeUndefined()
    expect([outcome.local, outcome.answer?.json]).toEqual(['2', '2'])
  })

  it('is taken as the source map has it', () => {
    const root = writeProject({
      'main.ts': `${head}const add = (x: number) => x + 1\n${edit('./main.ts')}\nexport const f = cluster(() => add(1))`,
    })
    const outcome = runProject(root, library)['f']!
    expect(outcome.stack).toBeUndefined()
    expect([outcome.local, outcome.answer?.json]).toEqual(['2', '2'])
  })

  it('is refused when nothing says what runs', () => {
    const root = writeProject({
      'main.ts': `${head}const add = (x: number) => x + 1\n${edit('./main.ts')}\nexport const f = cluster(() => add(1))`,
    })
    stripSources(join(root, 'main.js'))
    expect(runProject(root, library)['f']!.refused).toMatch(/main\.ts changed after/)
  })
})

function stripSources(path: string): void {
  const text = readFileSync(path, 'utf8')
  const [code = '', data = ''] = text.split('//# sourceMappingURL=data:application/json;base64,')
  const map = JSON.parse(Buffer.from(data, 'base64').toString())
  delete map.sourcesContent
  writeFileSync(
    path,
    `${code}//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}\n`,
  )
}
