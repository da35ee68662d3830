/** Getting in, for the first time: the host's key is looked at by a person, and a password is asked once. */
import { ConfigError, TransportError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import { openTransport } from '../../transport/open.ts'
import { type LoginPrompt, setLoginPrompt } from '../../transport/prompt.ts'
import { UnknownHostKey } from '../../transport/ssh-host-key.ts'
import type { Transport } from '../../transport/transport.ts'
import { type Asker, Declined } from './asker.ts'

export interface Getting {
  readonly asker: Asker
  /** A fingerprint that is expected, 'SHA256:…', or 'accept-new'. */
  readonly hostKey?: string | undefined
}

/** What is asked beside the opening of a key is a sign that keys do not suffice. */
const isPassphrase = (text: string) => /^Enter passphrase for key/.test(text)

/** Logs in with what is there: agent, keys. Undefined: the host lets nobody in by that. @throws TransportError */
export async function tryKeys(profile: Profile, getting: Getting): Promise<Transport | undefined> {
  const { asker } = getting
  const onlyPassphrases: LoginPrompt = async ({ prompts }) => {
    if (!prompts.every(({ text }) => isPassphrase(text))) throw new Error('keys do not suffice')
    return answers(prompts, asker)
  }
  try {
    return await open(profile, onlyPassphrases, getting)
  } catch (error) {
    if (error instanceof TransportError && /^LOGIN_/.test(error.code)) return undefined
    throw error
  }
}

/** Logs in with whatever the host asks. @throws TransportError */
export function tryAll(profile: Profile, getting: Getting): Promise<Transport> {
  return open(
    profile,
    async ({ instructions, prompts }) => {
      if (instructions.trim()) getting.asker.say(instructions.trim())
      return answers(prompts, getting.asker)
    },
    getting,
  )
}

async function answers(prompts: readonly { text: string; echo: boolean }[], asker: Asker): Promise<string[]> {
  const given: string[] = []
  for (const { text, echo } of prompts)
    given.push(await (echo ? asker.text(plain(text)) : asker.secret(plain(text))))
  return given
}

const plain = (text: string) => text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ').trim()

async function open(profile: Profile, prompt: LoginPrompt, { asker, hostKey }: Getting): Promise<Transport> {
  // Once for each host on the way.
  for (;;) {
    setLoginPrompt(prompt)
    const transport = openTransport(profile)
    try {
      await transport.open()
      return transport
    } catch (error) {
      await transport[Symbol.asyncDispose]()
      const { cause } = error as Error
      if (cause instanceof Declined || cause instanceof ConfigError) throw cause
      const unknown =
        error instanceof TransportError && error.code === 'HOST_KEY_UNKNOWN' ? error.cause : undefined
      if (!(unknown instanceof UnknownHostKey)) throw error
      await accept(unknown, asker, hostKey)
      const file = unknown.record()
      asker.say(`${unknown.host} is known from now on: ${file}`)
    } finally {
      setLoginPrompt(undefined)
    }
  }
}

async function accept(
  { host, shown }: UnknownHostKey,
  asker: Asker,
  expected: string | undefined,
): Promise<void> {
  const fingerprint = shown.split(' ')[1]!
  if (expected === 'accept-new' || expected === fingerprint) return
  if (expected !== undefined)
    throw new ConfigError('OPTION_INVALID', `${host} shows ${shown}, and not ${expected}`, {
      hint: 'do not connect before you know why: ask the administrators',
    })
  asker.show(
    `${host} is not known yet. It shows the key`,
    `${shown}\nCompare it with what the cluster publishes.`,
  )
  await asker.trust('Is that the right one?', `--host-key ${fingerprint}`)
}
