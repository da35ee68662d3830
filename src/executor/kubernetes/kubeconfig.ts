/** Which server, as whom, in which namespace: what kubectl reads, read the same way. */
import { readFileSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { parse } from 'yaml'
import { ConfigError } from '../../core/errors.ts'
import type { KubernetesSettings } from '../../core/kubernetes-settings.ts'
import { nearest } from '../../core/nearest.ts'

export interface Access {
  readonly server: string
  readonly namespace: string
  /** PEM; absent: the authorities that Node knows. */
  readonly authority?: string
  /** The server's certificate is not checked; only where the kubeconfig says so. */
  readonly insecure: boolean
  /** The name that the server's certificate is for, where it is not the address. */
  readonly serverName?: string
  readonly credentials: Credentials
}

/** Who we are to the server. A file is read again when it is used: it may be renewed. */
export interface Credentials {
  readonly certificate?: string
  readonly key?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly basic?: { readonly username: string; readonly password: string }
  readonly exec?: ExecPlugin
}

/** A program that gives credentials (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/). */
export interface ExecPlugin {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly installHint?: string
  /** What it may be told of the server. */
  readonly cluster?: object
}

/** The machine that the program is on. */
export interface Here {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  /** Undefined: it cannot be read. */
  read(path: string): string | undefined
}

export const thisMachine = (env: Here['env'], home: string): Here => ({
  env,
  home,
  read(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined // whoever asks says which file it was
    }
  },
})

const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

/** @throws ConfigError naming file and key */
export function findAccess(settings: KubernetesSettings, here: Here): Access {
  const named = settings.kubeconfig ?? (here.env['KUBECONFIG'] || undefined)
  const files = named
    ? named
        .split(delimiter)
        .filter(Boolean)
        .map((file) => file.replace(/^~(?=\/|$)/, here.home))
    : [join(here.home, '.kube', 'config')]
  const texts = files.flatMap((file) => {
    const text = here.read(file)
    return text === undefined ? [] : [{ file, text }]
  })
  if (texts.length === 0) {
    const inside =
      named === undefined && settings.context === undefined ? inCluster(settings, here) : undefined
    if (inside) return inside
    const by = settings.kubeconfig ? 'kubernetes.kubeconfig' : named ? '$KUBECONFIG' : 'the default'
    throw new ConfigError('CONFIG_UNREADABLE', `there is no kubeconfig ${files.join(' or ')} (${by})`, {
      hint: 'write one as your cluster says, or name it with kubernetes: { kubeconfig: … } or $KUBECONFIG',
    })
  }
  return fromFiles(texts, settings, here)
}

/** A program in a pod, by the service account that is mounted there. */
function inCluster({ namespace }: KubernetesSettings, { env, read }: Here): Access | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  const tokenFile = `${accountFolder}/token`
  const authority = read(`${accountFolder}/ca.crt`)
  if (!host || read(tokenFile) === undefined || authority === undefined) return undefined
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: namespace ?? read(`${accountFolder}/namespace`)?.trim() ?? 'default',
    authority,
    insecure: false,
    credentials: { tokenFile },
  }
}

interface Named {
  readonly name: string
  readonly value: Readonly<Record<string, unknown>>
  readonly file: string
}

function fromFiles(
  texts: readonly { file: string; text: string }[],
  { context: wanted, namespace }: KubernetesSettings,
  here: Here,
): Access {
  const contexts: Named[] = []
  const clusters: Named[] = []
  const users: Named[] = []
  let current: string | undefined
  for (const { file, text } of texts) {
    const config = readYaml(file, text)
    // What several files say, the first of them says.
    current ??= optionalText(config['current-context'], file, 'current-context')
    contexts.push(...entries(config, 'contexts', 'context', file))
    clusters.push(...entries(config, 'clusters', 'cluster', file))
    users.push(...entries(config, 'users', 'user', file))
  }
  const files = texts.map(({ file }) => file).join(', ')
  const name = wanted ?? current
  if (!name)
    throw new ConfigError('CONFIG_INVALID', `${files}: current-context is not set`, {
      hint: 'name one with kubernetes: { context: … } in the profile',
    })
  const context = pick(
    contexts,
    name,
    'context',
    wanted === undefined ? 'current-context' : 'kubernetes.context',
    files,
  )
  const at = (key: string) => `contexts.${name}.${key}`
  const clusterName = text(context.value['cluster'], context.file, at('cluster'))
  const cluster = pick(clusters, clusterName, 'cluster', at('cluster'), files)
  const userName = optionalText(context.value['user'], context.file, at('user'))
  const user = userName ? pick(users, userName, 'user', at('user'), files) : undefined
  const access = clusterOf(cluster, here)
  const credentials = user ? credentialsOf(user, here, access) : {}
  return {
    ...access,
    namespace:
      namespace ?? optionalText(context.value['namespace'], context.file, at('namespace')) ?? 'default',
    credentials,
  }
}

function readYaml(file: string, text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    throw new ConfigError('CONFIG_INVALID', `${file}: ${(cause as Error).message.split('\n')[0]}`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new ConfigError(
    'CONFIG_INVALID',
    `${file}: expected a kubeconfig, got ${value === null ? 'an empty file' : typeof value}`,
  )
}

function entries(config: Record<string, unknown>, list: string, key: string, file: string): Named[] {
  const all = config[list] ?? []
  if (!Array.isArray(all)) throw invalid(file, list, 'a list', all)
  return all.map((entry: unknown, index) => {
    if (!isRecord(entry)) throw invalid(file, `${list}[${index}]`, 'a record with name', entry)
    const name = text(entry['name'], file, `${list}[${index}].name`)
    const value = entry[key] ?? {}
    if (!isRecord(value)) throw invalid(file, `${list}.${name}.${key}`, 'a record', value)
    return { name, value, file }
  })
}

function pick(all: readonly Named[], name: string, kind: string, by: string, files: string): Named {
  const found = all.find((one) => one.name === name)
  if (found) return found
  const names = [...new Set(all.map((one) => one.name))]
  const near = nearest(name, names)
  throw new ConfigError('CONFIG_INVALID', `${files}: there is no ${kind} '${name}' (${by})`, {
    hint: near
      ? `did you mean '${near}'?`
      : names.length > 0
        ? `there are ${names.join(', ')}`
        : `it names no ${kind} at all`,
  })
}

function clusterOf({ name, value, file }: Named, here: Here): Omit<Access, 'namespace' | 'credentials'> {
  const at = (key: string) => `clusters.${name}.${key}`
  const server = text(value['server'], file, at('server'))
  if (!URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol))
    throw invalid(file, at('server'), 'an address like https://host:6443', server)
  if (value['proxy-url'])
    throw new ConfigError('CONFIG_INVALID', `${file}: ${at('proxy-url')}: farcall goes through no proxy yet`)
  const insecure = value['insecure-skip-tls-verify'] === true
  const authority = insecure ? undefined : dataOrFile(value, 'certificate-authority', file, at, here)
  const serverName = optionalText(value['tls-server-name'], file, at('tls-server-name'))
  return {
    server: server.replace(/\/+$/, ''),
    insecure,
    ...(authority === undefined ? {} : { authority }),
    ...(serverName === undefined ? {} : { serverName }),
  }
}

function credentialsOf({ name, value, file }: Named, here: Here, cluster: Partial<Access>): Credentials {
  const at = (key: string) => `users.${name}.${key}`
  if (value['auth-provider'])
    throw new ConfigError(
      'CONFIG_INVALID',
      `${file}: ${at('auth-provider')}: Kubernetes itself has no such logins any more`,
      {
        hint: "use an exec plugin instead: your provider's command line writes it (gke-gcloud-auth-plugin, kubelogin, aws eks get-token)",
      },
    )
  const certificate = dataOrFile(value, 'client-certificate', file, at, here)
  const key = dataOrFile(value, 'client-key', file, at, here)
  if ((certificate === undefined) !== (key === undefined))
    throw new ConfigError(
      'CONFIG_INVALID',
      `${file}: users.${name}: client-certificate and client-key go together; one of them is missing`,
    )
  const token = optionalText(value['token'], file, at('token'))
  const tokenFile = optionalText(value['tokenFile'], file, at('tokenFile'))
  const username = optionalText(value['username'], file, at('username'))
  const password = optionalText(value['password'], file, at('password'))
  return {
    ...(certificate === undefined ? {} : { certificate, key: key! }),
    // As kubectl has it, the file wins: it is the one that is renewed.
    ...(tokenFile ? { tokenFile: beside(file, tokenFile) } : token ? { token } : {}),
    ...(username === undefined ? {} : { basic: { username, password: password ?? '' } }),
    ...(value['exec'] === undefined ? {} : { exec: pluginOf(value['exec'], file, at('exec'), cluster) }),
  }
}

function pluginOf(value: unknown, file: string, at: string, cluster: Partial<Access>): ExecPlugin {
  if (!isRecord(value)) throw invalid(file, at, 'a record with command', value)
  const command = text(value['command'], file, `${at}.command`)
  const args = value['args'] ?? []
  if (!Array.isArray(args)) throw invalid(file, `${at}.args`, 'a list', args)
  const pairs = value['env'] ?? []
  if (!Array.isArray(pairs)) throw invalid(file, `${at}.env`, 'a list', pairs)
  const env = Object.fromEntries(
    pairs.filter(isRecord).map((pair) => [String(pair['name']), String(pair['value'])]),
  )
  const apiVersion = text(value['apiVersion'], file, `${at}.apiVersion`)
  if (!/^client\.authentication\.k8s\.io\/v1(beta1)?$/.test(apiVersion))
    throw invalid(file, `${at}.apiVersion`, 'client.authentication.k8s.io/v1 or v1beta1', apiVersion)
  const installHint = optionalText(value['installHint'], file, `${at}.installHint`)
  const { server, authority, insecure } = cluster
  const told = {
    server,
    ...(insecure ? { 'insecure-skip-tls-verify': true } : {}),
    ...(authority ? { 'certificate-authority-data': Buffer.from(authority).toString('base64') } : {}),
  }
  return {
    apiVersion,
    // A path with a slash is beside the file, a name is looked for on PATH.
    command: command.includes('/') ? beside(file, command) : command,
    args: args.map(String),
    env,
    ...(installHint === undefined ? {} : { installHint }),
    ...(value['provideClusterInfo'] === true ? { cluster: told } : {}),
  }
}

/** KEY-data as base64, else the file that KEY names. */
function dataOrFile(
  value: Named['value'],
  key: string,
  file: string,
  at: (key: string) => string,
  here: Here,
): string | undefined {
  const data = optionalText(value[`${key}-data`], file, at(`${key}-data`))
  if (data) {
    const pem = Buffer.from(data, 'base64').toString('utf8')
    if (!pem.includes('-----BEGIN '))
      throw invalid(file, at(`${key}-data`), 'a PEM file in base64', undefined)
    return pem
  }
  const named = optionalText(value[key], file, at(key))
  if (!named) return undefined
  const path = beside(file, named)
  const pem = here.read(path)
  if (pem !== undefined) return pem
  throw new ConfigError('CONFIG_UNREADABLE', `${file}: ${at(key)}: ${path} cannot be read`)
}

const beside = (file: string, path: string) => (isAbsolute(path) ? path : join(dirname(file), path))

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function text(value: unknown, file: string, key: string): string {
  const given = optionalText(value, file, key)
  if (given) return given
  throw invalid(file, key, 'text', value)
}

function optionalText(value: unknown, file: string, key: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw invalid(file, key, 'text', value)
}

/** The value is told only where it can be no secret. */
function invalid(file: string, key: string, expected: string, value: unknown): ConfigError {
  const isSecret = /token|password|data$|key/i.test(key)
  const got =
    value === undefined || value === null ? 'nothing' : isSecret ? 'something else' : JSON.stringify(value)
  return new ConfigError('CONFIG_INVALID', `${file}: ${key}: expected ${expected}, got ${got}`)
}
