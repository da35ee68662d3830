/** What a change to a file comes to: lines taken away and added, with a line around them. For one change in one place. */
export function lineDiff(before: string, after: string): string {
  const [old, made] = [linesOf(before), linesOf(after)]
  let same = 0
  while (same < old.length && same < made.length && old[same] === made[same]) same++
  let tail = 0
  while (
    tail < old.length - same &&
    tail < made.length - same &&
    old[old.length - 1 - tail] === made[made.length - 1 - tail]
  )
    tail++
  const around = (line: string | undefined) => (line === undefined ? [] : [`  ${line}`])
  return [
    ...around(old[same - 1]),
    ...old.slice(same, old.length - tail).map((line) => `- ${line}`),
    ...made.slice(same, made.length - tail).map((line) => `+ ${line}`),
    ...around(tail > 0 ? old[old.length - tail] : undefined),
  ].join('\n')
}

const linesOf = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))
