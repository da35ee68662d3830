import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ConfigError } from '../core/errors.ts'
import { included, readConfig } from './ssh-config-include.ts'
import { configLines, splitCriteria, splitWords } from './ssh-config-lines.ts'
import { expandTokens, tokensOf } from './ssh-tokens.ts'
import { matchesAny } from './wildcards.ts'

/** Settings by name in small letters, as `ssh -G` prints them: the first that is said counts, some come more than once. */
export type Settings = Map<string, string[]>

export interface Asked {
  /** The name as it was asked for. */
  readonly host: string
  readonly port?: number | undefined
  readonly user?: string | undefined
}

/** This machine and who we are on it. */
export interface Here {
  readonly home: string
  readonly user: string
  readonly uid: number
  readonly hostname: string
  readonly env: NodeJS.ProcessEnv
  /** Read after the user's; unless a file is named. */
  readonly systemFile: string
}

/** They add up; of all others the first counts. */
const additive = new Set(['identityfile', 'certificatefile'])
/** A command, or a name that holds blanks: the rest of the line as it stands. */
const commands = new Set(['proxycommand', 'knownhostscommand', 'localcommand', 'remotecommand'])
const deepest = 16

/**
 * What the files say about a host, as OpenSSH reads them: Host and Match blocks, Include. For machines without OpenSSH;
 * CanonicalizeHostname is not done.
 * @throws ConfigError for a line that OpenSSH would refuse as well
 */
export function readSettings(asked: Asked, file: string | undefined, here: Here): Settings {
  const reading = new Reading(asked, here)
  const files = file === undefined ? [join(here.home, '.ssh/config'), here.systemFile] : [file]
  reading.pass(files, file !== undefined)
  if (reading.wantsFinal) {
    reading.startFinal()
    reading.pass(files, file !== undefined)
  }
  return reading.settings
}

class Reading {
  readonly settings: Settings = new Map()
  wantsFinal = false
  /** What `Host` is compared with: the name that was asked for, and in the final pass the one that it stands for. */
  #name: string
  #isFinal = false
  readonly #asked: Asked
  readonly #here: Here

  constructor(asked: Asked, here: Here) {
    this.#asked = asked
    this.#name = asked.host
    this.#here = here
    if (asked.user !== undefined) this.settings.set('user', [asked.user])
    if (asked.port !== undefined) this.settings.set('port', [String(asked.port)])
  }

  pass(files: readonly string[], mustExist: boolean): void {
    for (const file of files) this.#read(file, { active: true, never: false, depth: 0, mustExist })
  }

  /** Once more, with the name that was found: it no longer changes. */
  startFinal(): void {
    this.#isFinal = true
    this.#name = this.#host().toLowerCase()
    this.settings.set('hostname', [this.#name])
  }

  #read(file: string, state: { active: boolean; never: boolean; depth: number; mustExist: boolean }): void {
    const { never, depth } = state
    let { active } = state
    const text = readConfig(file, state.mustExist)
    for (const { keyword, rest, line } of configLines(text)) {
      const where = `${file}:${line}`
      if (keyword === 'host') active = !never && matchesAny(splitWords(rest, where), this.#name)
      else if (keyword === 'match') {
        // evaluated in any case: it may ask for the final pass
        const matched = this.#matches(splitCriteria(rest), where, never)
        active = !never && matched
      } else if (keyword === 'include') {
        if (depth === deepest)
          throw new ConfigError('CONFIG_INVALID', `${where}: more than ${deepest} files include each other`, {
            hint: 'a file may include itself; correct ~/.ssh/config',
          })
        for (const pattern of splitWords(rest, where))
          for (const found of included(pattern, file, this.#here))
            this.#read(found, { active, never: never || !active, depth: depth + 1, mustExist: false })
      } else if (active) this.#set(keyword, rest, where)
    }
  }

  #set(keyword: string, rest: string, where: string): void {
    const values = commands.has(keyword) ? [rest] : splitWords(rest, where)
    if (values.length === 0 || values[0] === '')
      throw new ConfigError('CONFIG_INVALID', `${where}: ${keyword} without a value`, {
        hint: 'give it one, or remove the line',
      })
    const known = this.settings.get(keyword)
    if (additive.has(keyword)) {
      const [value] = values as [string]
      if (!known?.includes(value)) this.settings.set(keyword, [...(known ?? []), value])
      return
    }
    if (!known && !this.#excluded(keyword)) this.settings.set(keyword, values)
  }

  /** Of ProxyJump and ProxyCommand the first counts; a jump over none leaves the command its chance. */
  #excluded(keyword: string): boolean {
    if (keyword === 'proxyjump') return this.settings.has('proxycommand')
    return keyword === 'proxycommand' && !/^(none)?$/i.test(this.settings.get('proxyjump')?.[0] ?? '')
  }

  #matches(words: readonly string[], where: string, never: boolean): boolean {
    const { host: originalHost } = this.#asked
    const wrong = (text: string) =>
      new ConfigError('CONFIG_INVALID', `${where}: Match ${text}`, { hint: 'correct ~/.ssh/config' })
    let result = !never
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as string
      const negated = word.startsWith('!')
      const criterion = (negated ? word.slice(1) : word).toLowerCase()
      const need = (is: boolean) => {
        if (is === negated) result = false
      }
      if (criterion === 'all') continue
      if (criterion === 'canonical' || criterion === 'final') {
        if (criterion === 'final') this.wantsFinal = true
        need(this.#isFinal)
        continue
      }
      const argument = words[++i]
      if (argument === undefined) throw wrong(`${criterion} needs a value`)
      const patterns = argument.split(',')
      switch (criterion) {
        case 'host':
          need(matchesAny(patterns, this.#host().toLowerCase()))
          break
        case 'originalhost':
          need(matchesAny(patterns, originalHost.toLowerCase()))
          break
        case 'user':
          need(matchesAny(patterns, this.#user()))
          break
        case 'localuser':
          need(matchesAny(patterns, this.#here.user))
          break
        case 'exec':
          if (result) need(this.#succeeds(argument))
          break
        default:
          throw wrong(`${criterion} is not known here`)
      }
    }
    return result
  }

  /** As far as it is known at this line. */
  #host(): string {
    const { host } = this.#asked
    return expandTokens(this.settings.get('hostname')?.[0] ?? host, { '%': '%', h: host })
  }

  #user(): string {
    return this.settings.get('user')?.[0] ?? this.#here.user
  }

  #succeeds(command: string): boolean {
    const { home, user, uid, hostname, env } = this.#here
    const tokens = tokensOf({
      originalHost: this.#asked.host,
      host: this.#host(),
      port: Number(this.settings.get('port')?.[0] ?? 22),
      user: this.#user(),
      hostKeyAlias: this.settings.get('hostkeyalias')?.[0],
      proxyJump: this.settings.get('proxyjump')?.[0],
      home,
      localUser: user,
      localUid: uid,
      localHost: hostname,
    })
    const shell = env.SHELL || '/bin/sh'
    const text = `exec ${expandTokens(command, tokens)}`
    return spawnSync(shell, ['-c', text], { stdio: ['inherit', 'ignore', 'inherit'], env }).status === 0
  }
}
