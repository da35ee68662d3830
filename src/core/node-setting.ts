/** Which versions of Node will do: 20 or 20.11 and all of it, or that one and newer. */
export interface NodeVersions {
  /** '20', '22.11'; '' for any. */
  readonly prefix: string
  /** '16', '20.9.0' */
  readonly least: string
}

/** What `environment.node` says. */
export type NodeSetting =
  | { readonly kind: 'auto'; readonly versions: NodeVersions }
  | { readonly kind: 'version'; readonly versions: NodeVersions }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'module'; readonly module: string }

/** The oldest Node that farcall runs on. */
export const oldestNode = 16

/** Whatever farcall runs on. */
export const anyNode: NodeVersions = { prefix: '', least: String(oldestNode) }

/** What is expected of `environment.node`, for messages. */
export const nodeSettingForms =
  "'auto', an absolute path, a module's name like 'nodejs/20', or a version from 16 in quotes, like '20' or '>=20'"

/** Undefined: it is none of these. */
export function parseNodeSetting(text: string): NodeSetting | undefined {
  if (text === 'auto') return { kind: 'auto', versions: anyNode }
  if (/^[/~$][^\x00-\x1f\x7f]*$/.test(text)) return { kind: 'path', path: text }
  const version = /^(>=)? *v?(\d+(?:\.\d+){0,2})(?:\.x)?$/.exec(text)
  if (version) {
    const [, newer, numbers = ''] = version
    if (Number.parseInt(numbers, 10) < oldestNode) return undefined
    return {
      kind: 'version',
      versions: newer ? { prefix: '', least: numbers } : { prefix: numbers, least: anyNode.least },
    }
  }
  if (/^[A-Za-z][\w.+-]*(\/[\w.+-]+)*$/.test(text)) return { kind: 'module', module: text }
  return undefined
}

/** Whether 20.11.1 is one of these. */
export function isWanted(version: string, { prefix, least }: NodeVersions): boolean {
  return (prefix === '' || `${version}.`.startsWith(`${prefix}.`)) && compareVersions(version, least) >= 0
}

/** Numbers between dots, as many as the shorter one has. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]! - right[i]!
    if (difference !== 0) return difference
  }
  return 0
}

const numbersOf = (version: string) => version.split('.').map((part) => Number.parseInt(part, 10) || 0)

/** 'Node 20', 'Node >= 16' */
export function describeVersions({ prefix, least }: NodeVersions): string {
  return prefix === '' ? `Node >= ${least}` : `Node ${prefix}`
}
