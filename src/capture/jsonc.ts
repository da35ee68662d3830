import { readFileSync } from 'node:fs'

/** JSON with comments and trailing commas, as tsconfig.json and deno.json are; undefined: it is not that. */
export function readJsonc<T>(file: string): T | undefined {
  const text = readFileSync(file, 'utf8')
  const plain = text
    .replace(
      /("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
      (_, string: string | undefined) => string ?? '',
    )
    .replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, (_, string: string | undefined) => string ?? '')
  try {
    return JSON.parse(plain) as T
  } catch {
    // whoever reads the file for its own sake says what is wrong with it
    return undefined
  }
}
