import { ConfigError } from '../core/errors.ts'

/** One line of an ssh_config file that says something. */
export interface ConfigLine {
  /** In small letters. */
  readonly keyword: string
  /** What follows, as it stands: a command is not split. */
  readonly rest: string
  readonly line: number
}

/** The lines of an ssh_config file, as readconf.c takes them apart. */
export function configLines(text: string): ConfigLine[] {
  return text.split('\n').flatMap((raw, index) => {
    const line = raw.replace(/[ \t\r\f]+$/, '').replace(/^[ \t\r]+/, '')
    if (line === '' || line.startsWith('#')) return []
    const [, quoted, plain, rest = ''] = /^(?:"([^"]*)"|([^\s="]+))[ \t\r]*=?[ \t\r]*(.*)$/.exec(line) ?? []
    return [{ keyword: (quoted ?? plain ?? line).toLowerCase(), rest, line: index + 1 }]
  })
}

/**
 * Words by blanks; both kinds of quotes, a backslash before a quote, a backslash or a blank; # ends the line.
 * https://github.com/openssh/openssh-portable/blob/V_9_2_P1/misc.c (argv_split)
 */
export function splitWords(text: string, where: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string
    const next = text[i + 1] ?? ''
    if (char === '\\' && (next === '"' || next === "'" || next === '\\' || (quote === '' && next === ' '))) {
      word = (word ?? '') + next
      i++
    } else if (quote !== '') {
      if (char === quote) quote = ''
      else word = (word ?? '') + char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (char === ' ' || char === '\t') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (char === '#' && word === undefined) break
    else word = (word ?? '') + char
  }
  if (quote !== '')
    throw new ConfigError('CONFIG_INVALID', `${where}: a quote is not closed`, { hint: 'correct the line' })
  if (word !== undefined) words.push(word)
  return words
}

/**
 * Words of a Match line: double quotes around a whole word, and = parts words as blanks do.
 * https://github.com/openssh/openssh-portable/blob/V_9_2_P1/misc.c (strdelim)
 */
export function splitCriteria(text: string): string[] {
  const words: string[] = []
  const pattern = /[ \t]*(?:"([^"]*)"|([^ \t="][^ \t=]*))[ \t]*=?/y
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const word = found[1] ?? found[2] ?? ''
    if (found[1] === undefined && word.startsWith('#')) break
    words.push(word)
  }
  return words
}
