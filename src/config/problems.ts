import type { z } from 'zod'
import { ConfigError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'

type Path = readonly PropertyKey[]
interface Node {
  def: {
    type: string
    innerType?: Node
    keyType?: Node
    valueType?: Node
    element?: Node
    shape?: Record<string, Node>
    options?: readonly Node[]
    discriminator?: string
    values?: readonly unknown[]
  }
  description?: string
}

const secretKeys = new Set<PropertyKey>(['password', 'passphrase', 'secrets', 'url', 'headers'])

/**
 * The value as the schema gives it.
 * @param locate names the place of a path: `farcall.config.yaml: profiles.hpc.port`
 * @throws ConfigError CONFIG_INVALID, each problem on its line
 */
export function validate<S extends z.ZodType>(
  schema: S,
  value: unknown,
  locate: (path: Path) => string,
): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const problems = describeAll(schema, value, result.error, locate)
  throw new ConfigError('CONFIG_INVALID', problems.join('\n'), {
    hint: result.error.issues.some(isSecret)
      ? "keep the secret in an environment variable and name it: password: { env: 'HPC_PASSWORD' }"
      : 'all keys are listed in docs/configuration.md',
  })
}

/**
 * The same for what code hands over.
 * @throws ConfigError OPTION_UNKNOWN for a key that is not there, OPTION_INVALID
 */
export function validateOption(schema: z.ZodType, value: unknown, name: string): void {
  const { success, error } = schema.safeParse(value)
  if (success) return
  const locate = (path: Path) => [name, ...path].join('.').replace(/\.(\d+)(?=\.|$)/g, '[$1]')
  const problems = describeAll(schema, value, error, locate)
  const unknown = error.issues.find((issue) => issue.code === 'unrecognized_keys')
  const { shape = {} } = (unknown && walk(schema as unknown as Node, unknown.path, value).node?.def) ?? {}
  throw new ConfigError(unknown ? 'OPTION_UNKNOWN' : 'OPTION_INVALID', problems.join('\n'), {
    hint: unknown
      ? `${locate(unknown.path)} has ${Object.keys(shape).join(', ')}`
      : 'all settings are listed in docs/configuration.md',
  })
}

/** Each problem once, on its line. */
function describeAll(
  schema: z.ZodType,
  value: unknown,
  { issues }: z.ZodError,
  locate: (path: Path) => string,
): string[] {
  return [...new Set(issues.flatMap((issue) => describe(schema, value, issue, locate)))]
}

function describe(
  schema: z.ZodType,
  value: unknown,
  issue: z.core.$ZodIssue,
  locate: (path: Path) => string,
): string[] {
  const { node, expected } = walk(schema as unknown as Node, issue.path, value)
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(node?.def.shape ?? {})
    return issue.keys.map((key) => {
      const near = nearest(key, known)
      return `${locate([...issue.path, key])}: unknown key${near ? `, did you mean '${near}'?` : ''}`
    })
  }
  if (issue.code === 'invalid_key') {
    const names = walk(schema as unknown as Node, issue.path.slice(0, -1), value).node?.def.keyType
      ?.description
    return [`${locate(issue.path)}: this name cannot be used here${names ? `; it is made of ${names}` : ''}`]
  }
  if (isSecret(issue)) return [`${locate(issue.path)}: a secret is not written here; expected ${expected}`]
  return [
    `${locate(issue.path)}: expected ${expected ?? 'something else'}, got ${show(at(value, issue.path))}`,
  ]
}

/** Then the value that was found must not be shown. */
function isSecret(issue: z.core.$ZodIssue): boolean {
  return issue.code !== 'unrecognized_keys' && issue.path.some((key) => secretKeys.has(key))
}

/** The schema at a path, and what the innermost description on the way there says. */
function walk(
  root: Node,
  path: Path,
  value: unknown,
): { node: Node | undefined; expected: string | undefined } {
  let expected: string | undefined
  const unwrap = (outer: Node | undefined, here: Path): Node | undefined => {
    let node = outer
    let description = node?.description
    while (node?.def.innerType) {
      node = node.def.innerType
      description ??= node.description
    }
    expected = description ?? expected
    const chosen = node && optionFor(node, at(value, here))
    return chosen ? unwrap(chosen, here) : node
  }
  let node = unwrap(root, [])
  for (const [depth, key] of path.entries()) {
    if (!node) break
    const inner: Node | undefined = node.def.shape?.[String(key)] ?? node.def.valueType ?? node.def.element
    node = unwrap(inner, path.slice(0, depth + 1))
  }
  return { node, expected }
}

/** Of records that a key tells apart, the one that the value is to be. */
function optionFor({ def }: Node, value: unknown): Node | undefined {
  const { options, discriminator } = def
  if (discriminator === undefined) return undefined
  const named = (value as Record<string, unknown> | undefined)?.[discriminator]
  return options?.find((one) => one.def.shape?.[discriminator]?.def.values?.includes(named))
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  )
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a record'
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return shown.length > 60 ? `${shown.slice(0, 57)}…` : shown
}
