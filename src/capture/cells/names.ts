/** Names of cells, in place of those of files that lie on the disk. Pure. */

const importing = 'cell that imports farcall'

/** `number` is not known of the cell that imports farcall until another one has run. */
export const cellFileName = (number: number | undefined): string =>
  `${number === undefined ? importing : `cell ${number}`}.ts`

/** What the kernel made of a cell that ran before farcall was there. */
export const compiledName = (scriptId: string): string => `compiled cell ${scriptId}.js`

export const isCellPath = (path: string): boolean =>
  typedCell(path) !== undefined || /(^|[\\/])compiled cell \d+\.js$/.test(path)

/** 'cell 3', when it is the text of one that was typed. */
const typedCell = (path: string): string | undefined =>
  /(?:^|[\\/])(cell \d+|cell that imports farcall)\.ts$/.exec(path)?.[1]

/** 'cell 3, line 2'; undefined: it is not what was typed into a cell. */
export function cellPlace(path: string, line: number): string | undefined {
  const cell = typedCell(path)
  return cell && `${cell}, line ${line}`
}
