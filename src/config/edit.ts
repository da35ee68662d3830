/** Changes to a configuration file's text, which otherwise stays as it is: comments, order, quotes, indent. */
import { isDeepStrictEqual } from 'node:util'
import { type Document, isCollection, isMap, parseDocument } from 'yaml'
import { ConfigError } from '../core/errors.ts'
import type { ConfigPlace } from './where-to-write.ts'

export interface Edit {
  /** Keys from the top of the configuration: ['profiles', 'hpc', 'host']. */
  readonly path: readonly [string, ...string[]]
  /** Undefined: the key is taken out. */
  readonly value: unknown
}

/** A file that can be changed, and its name for messages. */
export type EditablePlace = ConfigPlace & { readonly format: 'yaml' | 'json' }

/**
 * The text with the edits in it.
 * @throws ConfigError CONFIG_UNREADABLE when the text cannot be read, or cannot be changed without changing more
 */
export function editConfig(place: EditablePlace, edits: readonly Edit[]): string {
  const before = readConfig(place)
  const wanted = edits.reduce<unknown>(
    (tree, { path, value }) => withKey(tree, path, value, place.file),
    before,
  )
  const made = place.format === 'json' ? editJson(place, wanted) : editYaml(place, edits)
  if (!isDeepStrictEqual(readConfig({ ...place, text: made }), wanted))
    throw unreadable(place.file, 'it cannot be changed without changing more of it; change it by hand')
  return made
}

/** What the file says now. @throws ConfigError CONFIG_UNREADABLE */
export function readConfig({ file, format, text, at }: EditablePlace): Record<string, unknown> {
  let whole: unknown
  try {
    whole = format === 'json' ? (text.trim() === '' ? {} : JSON.parse(text)) : yamlOf(file, text).toJS()
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(file, (error as Error).message)
  }
  return at.reduce((tree, key) => record(tree[key] ?? {}, file), record(whole ?? {}, file))
}

function record(value: unknown, file: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw unreadable(file, 'it holds no record')
}

function yamlOf(file: string, text: string): Document {
  const document = parseDocument(text)
  if (document.errors.length > 0) throw unreadable(file, document.errors[0]!.message.split('\n')[0]!)
  return document
}

function withKey(tree: unknown, [key, ...rest]: readonly string[], value: unknown, file: string): unknown {
  const here = record(tree ?? {}, file)
  const inner = rest.length > 0 ? withKey(here[key!], rest, value, file) : value
  const { [key!]: _, ...others } = here
  // What holds nothing any more goes as well.
  return inner === undefined || (value === undefined && isEmpty(inner)) ? others : { ...here, [key!]: inner }
}

const isEmpty = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0

function editYaml({ file, text, at }: EditablePlace, edits: readonly Edit[]): string {
  const document = yamlOf(file, text)
  if (!isMap(document.contents)) document.contents = document.createNode({}) as never
  for (const { path, value } of edits) {
    const full = [...at, ...path]
    if (value === undefined) {
      if (!document.hasIn(full)) continue
      document.deleteIn(full)
      for (let up = full.slice(0, -1); up.length > at.length; up = up.slice(0, -1)) {
        const node = document.getIn(up, true)
        if (isCollection(node) && node.items.length === 0) document.deleteIn(up)
      }
      continue
    }
    // `profiles:` with nothing behind it, or {}, becomes lines of its own.
    for (let depth = 0; depth < full.length; depth++) {
      const key = full.slice(0, depth)
      if (!isCollection(document.getIn(key, true)) && depth > 0) document.setIn(key, document.createNode({}))
      const node = depth === 0 ? document.contents : document.getIn(key, true)
      if (isMap(node) && node.items.length === 0) node.flow = false
    }
    document.setIn(full, document.createNode(value))
  }
  const made = document.toString({ lineWidth: 0 })
  return made.endsWith('\n') ? made : `${made}\n`
}

function editJson({ text, at }: EditablePlace, wanted: unknown): string {
  const whole = (text.trim() === '' ? {} : JSON.parse(text)) as object
  const nested = at.reduceRight<unknown>((inner, key) => ({ [key]: inner }), wanted)
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  '
  // Where the configuration is all of the file, a key that was taken out is out.
  const made = at.length === 0 ? nested : { ...whole, ...(nested as object) }
  return `${JSON.stringify(made, null, indent)}\n`
}

function unreadable(file: string, why: string): ConfigError {
  return new ConfigError('CONFIG_UNREADABLE', `${file}: ${why}`, {
    hint: 'nothing was changed; correct the file first',
  })
}
