import { existsSync, readFileSync } from 'node:fs'
import ssh2, { type ParsedKey } from 'ssh2'
import { ConfigError } from '../core/errors.ts'

/** A key that can be offered: the server sees its public part first, and only one that it takes is used. */
export interface OfferedKey {
  readonly label: string
  /** For ssh2: what it signs with. */
  readonly auth:
    | { readonly type: 'publickey'; readonly key: ParsedKey }
    | { readonly type: 'agent'; readonly agent: ssh2.BaseAgent }
}

export interface KeySources {
  readonly files: readonly string[]
  /** The file that a profile names: it must be there. */
  readonly wanted: string | undefined
  readonly agent: string | undefined
  readonly identitiesOnly: boolean
  readonly certificates: readonly string[]
  /** Opens encrypted keys. */
  readonly passphrase: string | undefined
  /** Asks for the passphrase of a file; undefined: nobody answers. */
  readonly ask: ((file: string) => Promise<string>) | undefined
  /** What a person should know when no way leads in. */
  note(text: string): void
  /** Something that the system's ssh could use, and ssh2 cannot. */
  beyond(what: string): void
}

/** A passphrase that does not fit may be asked for again. */
const passphraseTries = 3

interface KeyFile {
  readonly file: string
  readonly publicPart: Buffer | undefined
  readonly offered: OfferedKey | undefined
}

/**
 * The keys of the profile, the agent and the configuration, in OpenSSH's order: what the agent holds of the files that
 * are named, what else it holds, the files. A file that the profile names is first.
 */
export async function collectKeys(sources: KeySources, files: readonly KeyFile[]): Promise<OfferedKey[]> {
  const held = sources.agent === undefined ? [] : await listAgent(sources.agent, sources)
  const named = files.flatMap(({ publicPart }) => held.filter((one) => publicPart?.equals(one.publicPart)))
  const others = sources.identitiesOnly ? [] : held.filter((one) => !named.includes(one))
  const inAgent = (file: KeyFile) => named.some((one) => file.publicPart?.equals(one.publicPart))
  const loose = files.filter((file) => !inAgent(file)).flatMap(({ offered }) => offered ?? [])
  const agents = (list: readonly Held[]) => list.map(({ offered }) => offered)
  return sources.wanted === undefined
    ? [...agents(named), ...agents(others), ...loose]
    : [...agents(named), ...loose, ...agents(others)]
}

/** @throws ConfigError for a file that the profile names and that cannot be used */
export function readKeyFiles(sources: KeySources): KeyFile[] {
  for (const certificate of sources.certificates)
    if (existsSync(certificate)) sources.beyond(`the certificate ${certificate}`)
  return sources.files.flatMap((file) => readKeyFile(file, sources) ?? [])
}

function readKeyFile(file: string, sources: KeySources): KeyFile | undefined {
  const wanted = file === sources.wanted
  const besidePublic = readPublic(`${file}.pub`)
  if (!existsSync(file)) {
    if (wanted && !besidePublic)
      throw new ConfigError('CONFIG_INVALID', `identityFile ${file} is not there`, {
        hint: 'correct the path, or remove it to use the agent and the default keys',
      })
    // the private part may be in the agent alone
    return besidePublic && { file, publicPart: besidePublic.getPublicSSH(), offered: undefined }
  }
  if (existsSync(`${file}-cert.pub`)) sources.beyond(`the certificate ${file}-cert.pub`)
  const text = readFileSync(file)
  const key = parse(text, sources.passphrase)
  if (!(key instanceof Error)) {
    const publicPart = key.getPublicSSH()
    if (key.isPrivateKey())
      return { file, publicPart, offered: { label: file, auth: { type: 'publickey', key } } }
    if (!wanted) return { file, publicPart, offered: undefined }
    // of a key whose private part is in the agent the public one may be named
    if (sources.agent !== undefined) return { file, publicPart, offered: undefined }
    throw new ConfigError('CONFIG_INVALID', `identityFile ${file} is a public key`, {
      hint: 'name the private one, without .pub',
    })
  }
  const encrypted = /encrypted|passphrase|bad decrypt|integrity/i.test(key.message)
  if (/sk-(ssh|ecdsa)/.test(text.toString('latin1')) || /_sk$/.test(file))
    sources.beyond(`the hardware key ${file}`)
  else if (!encrypted) sources.beyond(`the key ${file}`)
  if (!encrypted && wanted)
    throw new ConfigError('CONFIG_INVALID', `identityFile ${file} cannot be used: ${key.message}`, {
      hint: "it must be a private key that OpenSSH wrote (ssh-keygen); for hardware keys: transport: 'openssh'",
      cause: key,
    })
  if (!encrypted) {
    sources.note(`${file} cannot be used: ${key.message}`)
    return undefined
  }
  const publicKey = besidePublic ?? publicOf(text)
  const publicPart = publicKey?.getPublicSSH()
  if (sources.ask) {
    const agent = new AskingAgent(file, text, publicKey, sources)
    return { file, publicPart, offered: { label: file, auth: { type: 'agent', agent } } }
  }
  const why = sources.passphrase === undefined ? 'no passphrase was given' : 'the passphrase does not open it'
  sources.note(`${file} is encrypted and ${why}: passphrase: { env: 'NAME' }, or ssh-add`)
  return { file, publicPart, offered: undefined }
}

function parse(text: Buffer | string, passphrase?: string): ParsedKey | Error {
  const parsed: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(text, passphrase)
  return (Array.isArray(parsed) ? parsed[0] : parsed) ?? new Error('no key in it')
}

function readPublic(file: string): ParsedKey | undefined {
  if (!existsSync(file)) return undefined
  const key = parse(readFileSync(file))
  return key instanceof Error ? undefined : key
}

/** An encrypted key of OpenSSH's own format shows its public part. */
function publicOf(text: Buffer): ParsedKey | undefined {
  const [, base64] = /BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/.exec(text.toString('latin1')) ?? []
  const bytes = Buffer.from(base64 ?? '', 'base64')
  let at = 'openssh-key-v1\0'.length
  const field = () => {
    const length = at + 4 <= bytes.length ? bytes.readUInt32BE(at) : 0
    const value = bytes.subarray(at + 4, at + 4 + length)
    at += 4 + length
    return value
  }
  field() // cipher
  field() // key derivation
  field() // its options
  at += 4 // the number of keys, which is 1
  const key = parse(field())
  return key instanceof Error ? undefined : key
}

/** A key that is opened once the server takes it. Without a known public part it is opened to be offered. */
class AskingAgent extends ssh2.BaseAgent {
  readonly #file: string
  readonly #text: Buffer
  readonly #sources: KeySources
  readonly #publicKey: ParsedKey | undefined
  #key: ParsedKey | undefined

  constructor(file: string, text: Buffer, publicKey: ParsedKey | undefined, sources: KeySources) {
    super()
    this.#file = file
    this.#text = text
    this.#sources = sources
    this.#publicKey = publicKey
  }

  override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
    const found = this.#publicKey ? Promise.resolve(this.#publicKey) : this.#open()
    found.then(
      (key) => done(undefined, [key]),
      (error) => done(error),
    )
  }

  override sign(
    _publicKey: unknown,
    data: Buffer,
    options: { hash?: string } | ((error: Error | undefined, signature?: Buffer) => void),
    callback?: (error: Error | undefined, signature?: Buffer) => void,
  ): void {
    const [done, hash] = typeof options === 'function' ? [options, undefined] : [callback!, options.hash]
    this.#open().then(
      (key) => {
        const signature: Buffer | Error = key.sign(data, hash)
        if (signature instanceof Error) done(signature)
        else done(undefined, signature)
      },
      (error) => done(error),
    )
  }

  async #open(): Promise<ParsedKey> {
    if (this.#key) return this.#key
    for (let tries = 0; tries < passphraseTries; tries++) {
      const key = parse(this.#text, await this.#sources.ask!(this.#file))
      if (key instanceof Error) continue
      this.#key = key
      return key
    }
    throw new Error(`the passphrase does not open ${this.#file}`)
  }
}

interface Held {
  readonly publicPart: Buffer
  readonly offered: OfferedKey
}

/** What an agent holds that ssh2 can use: it passes over certificates and hardware keys. One that does not answer holds nothing, which is noted. */
async function listAgent(socket: string, sources: KeySources): Promise<Held[]> {
  const agent = ssh2.createAgent(socket)
  let found: ParsedKey[]
  try {
    found = await new Promise<ParsedKey[]>((resolve, reject) =>
      agent.getIdentities((error, keys) => (error ? reject(error) : resolve((keys ?? []) as ParsedKey[]))),
    )
  } catch (error) {
    sources.note(`agent: ${(error as Error).message}`)
    return []
  }
  return found.map((key) => {
    const label = `agent${key.comment ? ` (${key.comment})` : ''}`
    const auth = { type: 'agent', agent: new HeldKey(agent, key) } as const
    return { publicPart: key.getPublicSSH(), offered: { label, auth } }
  })
}

/** One key of an agent, so that each is offered in its turn. */
class HeldKey extends ssh2.BaseAgent {
  readonly #agent: ssh2.BaseAgent
  readonly #key: ParsedKey

  constructor(agent: ssh2.BaseAgent, key: ParsedKey) {
    super()
    this.#agent = agent
    this.#key = key
  }

  override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
    done(undefined, [this.#key])
  }

  override sign(
    key: ParsedKey | Buffer | string,
    data: Buffer,
    options: object | ssh2.SignCallback,
    done?: ssh2.SignCallback,
  ): void {
    if (typeof options === 'function') this.#agent.sign(key, data, options as ssh2.SignCallback)
    else this.#agent.sign(key, data, options, done)
  }
}
