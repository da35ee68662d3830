import { readFileSync } from 'node:fs'

const pages = ['guide.md', 'simulated.md']
const guide = pages
  .map((page) => readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8'))
  .join('\n## ')

export interface GuideProgram {
  readonly section: string
  readonly code: string
}

/** The blocks of TypeScript in the guide and in the page on simulated schedulers, each with the heading above it. */
export const guideBlocks: readonly GuideProgram[] = guide.split(/^##+ /m).flatMap((text) => {
  const [section = ''] = text.split('\n')
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => ({ section, code: code! }))
})
