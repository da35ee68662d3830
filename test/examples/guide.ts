import { readFileSync } from 'node:fs'

const guide = readFileSync(new URL('../../docs/guide.md', import.meta.url), 'utf8')

export interface GuideProgram {
  readonly section: string
  readonly code: string
}

/** The blocks of TypeScript in the guide, each with the heading above it. */
export const guideBlocks: readonly GuideProgram[] = guide.split(/^##+ /m).flatMap((text) => {
  const [section = ''] = text.split('\n')
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => ({ section, code: code! }))
})
