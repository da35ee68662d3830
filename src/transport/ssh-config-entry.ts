/** A Host entry for ~/.ssh/config, and its place in there. */
import { configLines, splitWords } from './ssh-config-lines.ts'

export interface HostEntry {
  readonly alias: string
  readonly hostName: string
  readonly user: string
  readonly port: number
  readonly identityFile?: string
}

/** Whether a Host line names this alias itself, and not by a pattern. */
export function hasEntry(text: string, alias: string): boolean {
  return configLines(text).some(
    ({ keyword, rest, line }) =>
      keyword === 'host' &&
      splitWords(rest, `line ${line}`).some((word) => word.toLowerCase() === alias.toLowerCase()),
  )
}

export function entryLines({ alias, hostName, user, port, identityFile }: HostEntry): string[] {
  const path = identityFile === undefined || !/[\s"]/.test(identityFile) ? identityFile : `"${identityFile}"`
  return [
    `Host ${alias}`,
    `  HostName ${hostName}`,
    `  User ${user}`,
    ...(port === 22 ? [] : [`  Port ${port}`]),
    ...(path === undefined ? [] : [`  IdentityFile ${path}`]),
  ]
}

/**
 * The file with the entry in it: before the first Host or Match, since the first value that ssh finds counts, and after
 * what stands above for all hosts. All other lines stay as they are.
 */
export function withEntry(text: string, entry: HostEntry): string {
  const first = configLines(text).find(({ keyword }) => keyword === 'host' || keyword === 'match')
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n')
  let at = first === undefined ? lines.length : first.line - 1
  // The comment right above a Host line is about it.
  while (first !== undefined && at > 0 && /^\s*#/.test(lines[at - 1]!)) at--
  const above = at > 0 && lines[at - 1]!.trim() !== '' ? [''] : []
  const below = first === undefined ? [] : ['']
  return `${[...lines.slice(0, at), ...above, ...entryLines(entry), ...below, ...lines.slice(at)].join('\n')}\n`
}
