/** Lines that are longer are broken at spaces; what is broken off stands as far in as its line, and a little more. */
export function wrapLines(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrapLine(line, width))
    .join('\n')
}

function wrapLine(line: string, width: number): string[] {
  if (line.length <= width) return [line]
  const indent = /^ */.exec(line)![0]
  const hanging = indent === '' ? '' : `${indent}  `
  const lines: string[] = []
  // What stands in columns keeps its gaps.
  for (const piece of line.trimStart().split(/(?<=\S) (?=\S)/)) {
    const last = lines.at(-1)
    const lead = lines.length === 0 ? indent : hanging
    if (last !== undefined && last.length + 1 + piece.length <= width)
      lines[lines.length - 1] = `${last} ${piece}`
    else lines.push(`${lead}${piece}`)
  }
  return lines
}
