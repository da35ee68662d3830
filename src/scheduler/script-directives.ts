import type { Resources } from '../core/resources.ts'
import { tablesOf } from './script-options.ts'

/** A directive in a job script of the user's. */
export interface ScriptDirective {
  /** From 1. */
  readonly line: number
  /** With its value, without the prefix, as it was written. */
  readonly text: string
  readonly prefix: string
  /** Our names of what it asks for; empty for what we have no name for. */
  readonly sets: readonly (keyof Resources)[]
  /** Absent: it stands for itself. */
  readonly use?: DirectiveUse
  readonly value?: string
}

/**
 * 'log': the job's output has a place already; 'array': maps make arrays; 'submits': it changes what submitting does;
 * 'folder': where the script begins; 'here': that it begins where it was submitted; 'shell': what runs it.
 */
export type DirectiveUse = 'log' | 'array' | 'submits' | 'folder' | 'here' | 'shell'

/** What one option is to us. `value`: 'none' where it takes none, 'joined' where it may only be behind =. */
export interface ScriptOption {
  readonly sets?: readonly (keyof Resources)[]
  readonly use?: DirectiveUse
  readonly value?: 'none' | 'joined'
  /** What a value sets: `-l walltime=…`. */
  readonly read?: (value: string) => readonly (keyof Resources)[]
}

/**
 * The directives that a scheduler reads in a job script, one by one: a line may hold several.
 * @example directivesIn('slurm', '#!/bin/sh\n#SBATCH -c 4 --time=1:00\n') // two, of lines 2 and 2
 */
export function directivesIn(scheduler: string, script: string): readonly ScriptDirective[] {
  const tables = tablesOf(scheduler)
  if (!tables) return []
  const { prefix, everywhere, options } = tables
  const found: ScriptDirective[] = []
  for (const [index, text] of script.split('\n').entries()) {
    const line = index + 1
    if (text.startsWith(prefix)) {
      const rest = text.slice(prefix.length)
      // #SBATCHED is none.
      if (prefix !== '#$' && !/^\s/.test(rest) && rest !== '') continue
      found.push(...readLine(rest, line, prefix, options))
    } else if (!everywhere && text.trim() !== '' && !text.trimStart().startsWith('#')) break
  }
  return found
}

interface Word {
  readonly text: string
  readonly from: number
  readonly to: number
}

function readLine(
  text: string,
  line: number,
  prefix: string,
  options: ReadonlyMap<string, ScriptOption>,
): ScriptDirective[] {
  const words = wordsOf(text)
  const found: ScriptDirective[] = []
  for (let at = 0; at < words.length; at++) {
    const first = words[at]!
    const { name, value: joined } = nameOf(first.text, options)
    const option = options.get(name) ?? {}
    const next = words[at + 1]
    const takesNext =
      joined === undefined &&
      option.value === undefined &&
      next !== undefined &&
      (!next.text.startsWith('-') || (options.has(name) && !options.has(next.text)))
    if (takesNext) at++
    // `-pe smp 4`
    if (takesNext && name === '-pe' && words[at + 1]) at++
    const value = joined ?? (takesNext ? next.text : undefined)
    found.push({
      line,
      prefix,
      text: text.slice(first.from, words[at]!.to),
      sets: value !== undefined && option.read ? option.read(value) : (option.sets ?? []),
      ...(option.use ? { use: option.use } : {}),
      ...(value === undefined ? {} : { value }),
    })
  }
  return found
}

/** `--time=1`, `-t1`, `-pe`: the option's name, and a value that stands right behind it. */
function nameOf(
  word: string,
  options: ReadonlyMap<string, ScriptOption>,
): { readonly name: string; readonly value?: string } {
  const [, long, value] = /^(--[\w-]+)(?:=(.*))?$/s.exec(word) ?? []
  if (long !== undefined) return { name: long, ...(value === undefined ? {} : { value }) }
  if (options.has(word) || !/^-[A-Za-z]./.test(word)) return { name: word }
  const short = word.slice(0, 2)
  return options.has(short) ? { name: short, value: word.slice(2) } : { name: word }
}

/** As schedulers split a line: quotes keep words together, # ends it. */
function wordsOf(text: string): Word[] {
  const words: Word[] = []
  const pattern = /\s+|(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+|./gsu
  for (const { 0: raw, index } of text.matchAll(pattern)) {
    if (raw.trim() === '') continue
    if (raw.startsWith('#')) break
    const plain = raw.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/gs, (_, double, single, one) =>
      String(double?.replaceAll(/\\(.)/gs, '$1') ?? single ?? one),
    )
    words.push({ text: plain, from: index, to: index + raw.length })
  }
  return words
}
