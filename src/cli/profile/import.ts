import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { checkSetting } from '../../config/assignments.ts'
import type { Edit } from '../../config/edit.ts'
import { fromClustrix } from '../../config/foreign/clustrix.ts'
import { type ForeignProfile, isTree, type Tree } from '../../config/foreign/foreign.ts'
import { fromSrunx } from '../../config/foreign/srunx.ts'
import { ConfigError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { namedHosts, userSshConfig } from '../../transport/ssh-config-hosts.ts'
import { type ChangeOptions, change, chosenPlace, placeWith } from '../config/change.ts'
import { printJson } from '../print.ts'
import { say } from '../talk.ts'

interface ImportOptions extends ChangeOptions {
  readonly all?: boolean
  readonly sshConfig?: string
}

/** Where each program keeps its configuration, the first that is there. */
const usual = {
  srunx: (home: string) => [
    join(process.env['XDG_CONFIG_HOME'] || join(home, '.config'), 'srunx/config.json'),
  ],
  clustrix: (home: string) => [
    ...['yml', 'yaml', 'json'].map((ending) => join(home, `.clustrix/config.${ending}`)),
    ...['yml', 'yaml', 'json'].map((ending) => join(process.cwd(), `clustrix.${ending}`)),
  ],
}
const readers = { srunx: fromSrunx, clustrix: fromClustrix }

/** @throws ConfigError */
export function importProfiles(from: string, what: readonly string[], options: ImportOptions): void {
  const found = from === 'ssh' ? sshProfiles(what, options) : fileProfiles(from, what)
  if (found === undefined) return
  const edits: Edit[] = []
  for (const { name, profile, left } of found) {
    for (const words of left) say(`${name}: not taken: ${words}`)
    if (placeWith(['profiles', name])) {
      say(`${name}: there is a profile of that name already; it is left as it is`)
      continue
    }
    const path = ['profiles', name] as const
    checkSetting(path, profile)
    edits.push({ path, value: profile })
  }
  if (edits.length > 0 || options.json) change(chosenPlace(options), edits, options)
}

function sshProfiles(hosts: readonly string[], options: ImportOptions): ForeignProfile[] | undefined {
  const file = options.sshConfig ?? userSshConfig(homedir())
  const there = namedHosts(file, { home: homedir(), systemFile: '/etc/ssh/ssh_config' })
  const asked = options.all ? there : hosts
  if (asked.length === 0) {
    if (options.json) printJson(there)
    else process.stdout.write(there.map((name) => `${name}\n`).join(''))
    say(
      there.length === 0
        ? `${file} names no host`
        : 'Those are the hosts: name the ones to import, or give --all.',
    )
    return undefined
  }
  return asked.map((host) => {
    if (!there.includes(host)) {
      const near = nearest(host, there)
      throw new ConfigError('OPTION_INVALID', `${file} names no host '${host}'`, {
        hint: near ? `did you mean '${near}'?` : '`farcall profile import ssh` lists those that it names',
      })
    }
    const sshConfig = options.sshConfig === undefined ? {} : { sshConfig: options.sshConfig }
    return { name: host, profile: { scheduler: 'auto', host, ...sshConfig }, left: [] }
  })
}

function fileProfiles(from: string, [named, ...more]: readonly string[]): ForeignProfile[] {
  if (from !== 'srunx' && from !== 'clustrix') {
    const near = nearest(from, ['ssh', 'srunx', 'clustrix'])
    throw new ConfigError('OPTION_INVALID', `profiles are not imported from '${from}'`, {
      hint: near ? `did you mean ${near}?` : 'give ssh, srunx or clustrix',
    })
  }
  if (more.length > 0)
    throw new ConfigError('OPTION_INVALID', `${more[0]}: one file at a time`, { hint: 'import it next' })
  const places = named === undefined ? usual[from](homedir()) : [named]
  const file = places.find((place) => existsSync(place))
  if (file === undefined)
    throw new ConfigError('CONFIG_UNREADABLE', `there is no configuration of ${from}: ${places.join(', ')}`, {
      hint: `name its file: farcall profile import ${from} FILE`,
    })
  const found = readers[from](readTree(file))
  if (found.length === 0)
    throw new ConfigError('CONFIG_INVALID', `${file}: it holds no profile of ${from}`, {
      hint: 'check that it is the right file',
    })
  return found
}

function readTree(file: string): Tree {
  let content: unknown
  try {
    // JSON is YAML.
    content = parse(readFileSync(file, 'utf8'), { logLevel: 'error' })
  } catch (error) {
    throw new ConfigError('CONFIG_UNREADABLE', `${file}: ${(error as Error).message.split('\n')[0]}`, {
      cause: error,
      hint: 'nothing was imported; correct the file first',
    })
  }
  return isTree(content) ? content : {}
}
