import type { Declaration, Range } from './analysis.ts'
import { applyEdits, type Edit, type Insertion, insertionsOf } from './loops/edits.ts'
import type { UserFile } from './sources.ts'
import { markThreads } from './threads.ts'

/** How a needed module-level declaration gets on the node. */
export type Decision = 'source' | 'value'

/** A module that capture wrote. `file` is where its text comes from. */
export interface Emitted {
  id: string
  text: string
  file?: string
  /** Text of ours among the user's. */
  insertions?: readonly Insertion[]
}

export const quote = (text: string): string => JSON.stringify(text)

/** Lines before the user's text in an emitted module; the source map is moved back by them. */
export const headerLines = 1

/** `text` with everything outside `keep` turned into spaces, so that lines and columns stay. */
export function blankExcept(text: string, keep: readonly Range[], blank: readonly Range[]): string[] {
  const out = Array.from(text, () => ' ')
  // code units, not code points: offsets count those
  if (out.length !== text.length) out.length = 0
  const units = out.length ? out : new Array<string>(text.length).fill(' ')
  for (let i = 0; i < text.length; i++) if (text[i] === '\n' || text[i] === '\r') units[i] = text[i]!
  for (const [start, end] of keep) for (let i = start; i < end; i++) units[i] = text[i]!
  for (const [start, end] of blank)
    for (let i = start; i < end; i++) if (text[i] !== '\n' && text[i] !== '\r') units[i] = ' '
  return units
}

/** `import.meta` has the length of `$importMeta`, so that columns stay; see `assetName` too. */
export function placeNames(units: string[], file: UserFile): void {
  const { metas, assets } = file.analysis
  const write = (at: number, name: string) => {
    // code that does not travel stays blank
    if (units[at]?.endsWith('i')) for (let i = 0; i < name.length; i++) units[at + i] = name[i]!
  }
  for (const at of metas) write(at, '$importMeta')
  for (const [index, { at, literal, worker }] of assets.entries()) {
    if (worker && /['"`]$/.test(units[literal[0]]!)) {
      for (let i = literal[0]; i < literal[1]; i++) units[i] = ' '
      for (const [i, char] of [...'"w.mjs"'].entries()) units[literal[0] + i] = char
    }
    write(at, assetName(index))
  }
}

/** Stands for `import.meta` in `new URL('./data.csv', import.meta.url)`. */
export const assetName = (index: number): string => `$asset${String(index).padStart(5, '0')}`

/** What makes a blank instance of a class possible without running its constructor. */
export function classHooks(units: string[], file: UserFile, within: Range): void {
  for (const node of file.analysis.functions) {
    if (node.kind !== 'class' || node.start < within[0] || node.end > within[1]) continue
    if (node.constructorBody !== undefined) {
      const guard = node.heritage
        ? 'if(new.target===$farcallBlank){super();return}'
        : 'if(new.target===$farcallBlank)return;'
      insertAfter(units, node.constructorBody - 1, guard)
    }
    const names = node.privateNames ?? []
    const statics = node.staticPrivateNames ?? []
    if (names.length + statics.length > 0 && node.classBody !== undefined) {
      const set = names.map((n) => `if(${JSON.stringify(n)} in p)o.${n}=p[${JSON.stringify(n)}]`).join(';')
      const get = names.map((n) => `p[${JSON.stringify(n)}]=o.${n}`).join(';')
      insertAfter(
        units,
        node.classBody - 1,
        `static{$farcallPrivates.set(this,{${names.length > 0 ? `set(o,p){${set}},get(o,p){${get}},` : ''}own:(p)=>{${statics.map((n) => `if(${JSON.stringify(n)} in p)this.${n}=p[${JSON.stringify(n)}]`).join(';')}}})}`,
      )
    }
  }
}

function insertAfter(units: string[], at: number, text: string): void {
  units[at] += text
}

/** The function that runs a late initialiser. */
export const initName = (declaration: Declaration): string => `$farcallInit${declaration.start}`

/** `const a = f(b)` becomes a function that assigns a; the text stays in its place. */
function wrapLate(units: string[], declaration: Declaration, file: UserFile): void {
  const [name] = declaration.names
  const isClass = declaration.kind === 'class'
  // experimentalDecorators are for declarations only
  const isDecorated = isClass && file.analysis.functions[declaration.fn!]!.decorated
  const [before, after] = isDecorated
    ? [`${name}=(()=>{`, `return ${name}})()`]
    : isClass
      ? [`${name}=`, '']
      : [declaration.isDefault ? '($default=' : '(', ')']
  const open = `;const ${initName(declaration)}=()=>{${before}`
  // at the end of a line before it, if there is one, so that columns stay
  let at = declaration.start - 1
  while (at >= 0 && units[at] === ' ') at--
  const line = at >= 0 ? units[at]! : ''
  if (/[\n\r]$/.test(line)) units[at] = line.slice(0, -1) + open + line.slice(-1)
  else units[declaration.start] = open + units[declaration.start]
  const last = declaration.end - 1
  units[last] += `${after}};`
}

/** `export default ` is as long as `const $default=`. */
function nameDefault(units: string[], { statement, start }: Declaration): void {
  const name = 'const $default='
  const at = statement!.start
  for (let i = at; i < start; i++) units[i] = name[i - at] ?? units[i]!
  if (start - at < name.length) units[start] = name.slice(start - at) + units[start]
}

/** One file's needed module-level declarations, at their places. */
export function sliceModule(
  part: { file: UserFile; decisions: ReadonlyMap<Declaration, Decision>; globals: ReadonlySet<string> },
  header: string,
  hooks: boolean,
  late: ReadonlyMap<Declaration, unknown>,
  threaded: ReadonlySet<string> = new Set(),
  edits: readonly Edit[] = [],
): Pick<Emitted, 'text' | 'insertions'> {
  const { file, decisions } = part
  const inits: Declaration[] = []
  const keep: Range[] = []
  const blank: Range[] = []
  const commas: number[] = []
  const statements = new Map<number, Declaration[]>()
  const exported: string[] = []
  const values: string[] = [...part.globals]
  for (const [declaration, decision] of decisions) {
    if (decision === 'value') {
      values.push(...declaration.names)
      continue
    }
    exported.push(...declaration.names)
    if (late.has(declaration)) {
      inits.push(declaration)
      keep.push([declaration.start, declaration.end])
      blank.push(...declaration.blank)
      if (declaration.type) blank.push(declaration.type)
    } else if (declaration.statement) {
      const list = statements.get(declaration.statement.start) ?? []
      statements.set(declaration.statement.start, [...list, declaration])
    } else {
      keep.push([declaration.start, declaration.end])
      blank.push(...declaration.blank)
    }
  }
  for (const list of statements.values()) {
    list.sort((a, b) => a.start - b.start)
    keep.push(list[0]!.statement!.keyword)
    for (const [index, declaration] of list.entries()) {
      keep.push([declaration.start, declaration.end])
      blank.push(...declaration.blank)
      if (index > 0) commas.push(list[index - 1]!.end)
    }
    commas.push(-list.at(-1)!.end)
  }
  for (const fn of file.analysis.functions) blank.push(...fn.blank)
  const units = blankExcept(file.text, keep, blank)
  placeNames(units, file)
  markThreads(units, file)
  for (const [d, decision] of decisions)
    if (d.isDefault && decision === 'source' && !late.has(d)) nameDefault(units, d)
  for (const at of commas) {
    if (at >= 0) units[at] = ','
    else if (-at >= units.length) units.push(';')
    else if (/[\s;]/.test(units[-at]!)) units[-at] = /[\n\r]/.test(units[-at]!) ? `;${units[-at]}` : ';'
  }
  for (const declaration of inits) wrapLate(units, declaration, file)
  if (hooks) for (const range of keep) classHooks(units, file, range)
  applyEdits(units, edits)
  const names = [...new Set([...exported, ...values])].sort()
  values.sort()
  const lets = [...values, ...inits.flatMap((d) => d.names)]
  inits.sort((a, b) => a.start - b.start)
  const later = inits.map((d) => `export{${initName(d)}}`).join(';')
  const named = [...decisions].some(
    ([d, decision]) => d.isDefault && decision === 'source' && d.fn !== undefined && !late.has(d),
  )
  const rename = named ? 'Object.defineProperty($default,"name",{value:"default",configurable:true});' : ''
  const text = [
    `${header}${lets.length > 0 ? `let ${lets.join(',')};` : ''}`,
    units.join(''),
    `;${rename}export{${names.join(',')}};${later};export const $farcallSet=(v)=>{${values.map((n) => `${n}=v.${n};`).join('')}};${changing(decisions, threaded)}`,
  ].join('\n')
  return withInsertions(text, units, edits, file)
}

function withInsertions(text: string, units: readonly string[], edits: readonly Edit[], file: UserFile) {
  return edits.length === 0
    ? { text }
    : { text, insertions: insertionsOf(units, edits, file.text, headerLines) }
}

/** Values that the job itself may change: how another thread of it comes by them as they are now. */
function changing(decisions: ReadonlyMap<Declaration, Decision>, threaded: ReadonlySet<string>): string {
  const names = [...decisions].flatMap(([{ reassigned, mutated, names }, decision]) =>
    decision === 'value' && (reassigned || mutated) ? names.filter((name) => threaded.has(name)) : [],
  )
  if (names.length === 0) return ''
  return `export const $farcallState=[()=>({${names.join(',')}}),(v)=>{${names.map((n) => `${n}=v.${n};`).join('')}}]`
}

/** One function or class that stands in another function: a factory, so that each copy has its own variables. */
export function sliceClosure(
  file: UserFile,
  index: number,
  header: string,
  hooks: boolean,
  edits: readonly Edit[] = [],
): Pick<Emitted, 'text' | 'insertions'> {
  const node = file.analysis.functions[index]!
  const blank = file.analysis.functions
    .filter((f) => f.start >= node.start && f.end <= node.end)
    .flatMap((f) => f.blank)
  const units = blankExcept(file.text, [[node.start, node.end]], blank)
  placeNames(units, file)
  markThreads(units, file)
  if (hooks) classHooks(units, file, [node.start, node.end])
  applyEdits(units, edits)
  const names = node.captures.map((c) => c.name)
  const variables = node.captures.map((c) => (c.literal === undefined ? c.name : `${c.name}=${c.literal}`))
  const method = node.kind === 'method'
  const set = names.map((n) => `if(${JSON.stringify(n)} in v)${n}=v.${n};`).join('')
  const property = /^[\w$]+$/.test(node.name) ? `.${node.name}` : `[${JSON.stringify(node.name)}]`
  const text = [
    `${header}export const $farcallMake=()=>{${names.length > 0 ? `let ${variables.join(',')};` : ''}const $farcallFn=(${method ? '{' : ''}`,
    units.join(''),
    // a class keeps the name that its own `static name` may give it
    `${method ? `}${'\n'})${property}` : ')'};${
      node.kind === 'class'
        ? ''
        : `Object.defineProperty($farcallFn,"name",{value:${JSON.stringify(node.name)},configurable:true});`
    }return[$farcallFn,(v)=>{${set}},()=>({${names.join(',')}})]}`,
  ].join('\n')
  return withInsertions(text, units, edits, file)
}
