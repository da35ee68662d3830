import { createHash } from 'node:crypto'

/** What %-tokens of ssh_config stand for, by their letter. */
export type Tokens = Readonly<Partial<Record<string, string>>>

export interface TokenFacts {
  /** The name as it was asked for. */
  readonly originalHost: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly hostKeyAlias: string | undefined
  readonly proxyJump: string | undefined
  readonly home: string
  readonly localUser: string
  readonly localUid: number
  readonly localHost: string
}

export function tokensOf(facts: TokenFacts): Tokens {
  const { host, port, user, localHost } = facts
  return {
    '%': '%',
    C: createHash('sha1').update(`${localHost}${host}${port}${user}`).digest('hex'),
    d: facts.home,
    h: host,
    i: String(facts.localUid),
    j: facts.proxyJump ?? '',
    k: facts.hostKeyAlias ?? facts.originalHost,
    L: localHost.split('.')[0] ?? localHost,
    l: localHost,
    n: facts.originalHost,
    p: String(port),
    r: user,
    u: facts.localUser,
  }
}

/** Replaces tokens, and with `env` also ${NAME}. What is not known stays as it is. */
export function expandTokens(text: string, tokens: Tokens, env?: NodeJS.ProcessEnv): string {
  return text.replace(/%(.)|\$\{([^}]*)\}/g, (whole, letter?: string, variable?: string) =>
    letter !== undefined ? (tokens[letter] ?? whole) : (env?.[variable ?? ''] ?? whole),
  )
}
