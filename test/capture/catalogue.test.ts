import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { buildLibrary, runProject, writeProject } from './project.ts'

const page = new URL('../../docs/refusals.md', import.meta.url)
const library = buildLibrary('catalogue')
afterAll(() => rmSync(library))

const text = readFileSync(page, 'utf8')
const examples = [...text.matchAll(/^## (.*)\n\n```ts\n([\s\S]*?)\n```\n\n```text\n([\s\S]*?)\n```$/gm)].map(
  ([, title = '', code = '', message = '']) => ({ title, code, message }),
)

// one program that has them all: each has a file of its own, and a name
const files = Object.fromEntries(
  examples.flatMap(({ code }, index) => [[`e${index}/study.ts`, code] as const]),
)
const main = examples
  .map((_, index) => `export { run as run${index} } from './e${index}/study.js'`)
  .join('\n')
const outcomes = runProject(writeProject({ ...files, 'main.ts': main }), library)

describe('docs/refusals.md', () => {
  it('has an example for each kind', () => {
    expect(examples.length).toBeGreaterThan(20)
    expect(examples.length).toBe(text.match(/^## /gm)!.length)
  })

  it.each(examples.map(({ title }, index) => [title, index] as const))('%s', (_, index) => {
    const outcome = outcomes[`run${index}`]!
    const refused = outcome.refused?.replace(/^CaptureError: /, '')
    // FARCALL_UPDATE=1 writes the page anew: read what it says
    if (process.env['FARCALL_UPDATE']) {
      const at = examples[index]!
      const now = readFileSync(page, 'utf8')
      const block = (message: string | undefined) => `${at.code}\n\`\`\`\n\n\`\`\`text\n${message}\n\`\`\``
      writeFileSync(
        page,
        now.replace(block(at.message), () => block(refused)),
      )
      return
    }
    expect(refused).toBe(examples[index]!.message)
  })
})
