import { structuredPatch } from 'diff'

/** What a change to a file comes to: lines taken away and added, with a line around them. */
export function lineDiff(before: string, after: string): string {
  const { hunks } = structuredPatch('', '', before, after, '', '', { context: 1 })
  return hunks
    .map(({ lines }) =>
      lines
        .filter((line) => !line.startsWith('\\'))
        .map((line) => `${line[0]} ${line.slice(1)}`)
        .join('\n'),
    )
    .join('\n  …\n')
}
