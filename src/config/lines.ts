import { LineCounter, parseDocument } from 'yaml'

/** The line of a configuration file's text on which a key stands, from 1; undefined where it cannot be told. */
export function lineOf(text: string, path: readonly string[]): number | undefined {
  const counter = new LineCounter()
  // JSON is YAML.
  const document = parseDocument(text, { lineCounter: counter, keepSourceTokens: false })
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const items = (
    parent as { items?: { key?: { value?: unknown; range?: [number, number, number] } }[] } | null
  )?.items
  const key = items?.find((pair) => String(pair.key?.value) === path.at(-1))?.key
  return key?.range ? counter.linePos(key.range[0]).line : undefined
}
