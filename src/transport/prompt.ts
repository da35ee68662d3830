import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

/** What a host, or a key, asks a person at login. */
export interface LoginQuestion {
  /** Who asks: 'me@login.hpc.edu:22'. */
  readonly target: string
  /** What is said before the questions; may be empty. */
  readonly instructions: string
  readonly prompts: readonly LoginPromptLine[]
}

/** One of the things that a login asks for. */
export interface LoginPromptLine {
  /** As it is to be shown: 'Verification code: '. */
  readonly text: string
  /** Whether what is typed may be seen. */
  readonly echo: boolean
}

/** Gives an answer for each prompt. Rejects when nobody answers: the login fails then. */
export type LoginPrompt = (question: LoginQuestion, signal: AbortSignal) => Promise<readonly string[]>

let chosen: LoginPrompt | undefined
let asking: Promise<unknown> = Promise.resolve()

/**
 * Says who answers what a login asks: passphrases, passwords, one-time codes. Without it a person at the terminal is
 * asked, when stdin and stderr are one. Answers are used once, and kept nowhere.
 * @param prompt undefined: the terminal again
 * @example
 * import { setLoginPrompt } from 'farcall'
 *
 * setLoginPrompt(async ({ target, instructions, prompts }) => {
 *   console.error(target, instructions)
 *   return prompts.map(({ text }) => (text.startsWith('Verification') ? '123456' : ''))
 * })
 */
export function setLoginPrompt(prompt: LoginPrompt | undefined): void {
  chosen = prompt
}

/** Whether somebody other than the terminal answers. @internal */
export function hasChosenPrompt(): boolean {
  return chosen !== undefined
}

/** Undefined: there is nobody to ask. Questions come one after the other. @internal */
export function loginPrompt(): LoginPrompt | undefined {
  const prompt = chosen ?? (process.stdin.isTTY && process.stderr.isTTY ? askOnTerminal : undefined)
  if (!prompt) return undefined
  return (question, signal) => {
    const answered = asking.then(() => unlessAborted(signal, () => prompt(question, signal)))
    asking = answered.catch(() => {})
    return answered
  }
}

/** A question of a login that is over is withdrawn, whether its prompt listens or not. */
function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** As ssh asks: what is said goes to stderr; what is not to be seen is not shown. */
async function askOnTerminal(
  { instructions, prompts }: LoginQuestion,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (instructions.trim()) process.stderr.write(`${plain(instructions).trimEnd()}\n`)
  const answers: string[] = []
  for (const prompt of prompts) answers.push(await askLine(prompt, signal))
  return answers
}

function askLine({ text, echo }: LoginPromptLine, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process
  let shows = true
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (shows) stderr.write(chunk)
      done()
    },
  })
  const line = createInterface({ input: stdin, output, terminal: true, historySize: 0 })
  return new Promise((resolve, reject) => {
    const end = (act: () => void, interrupt = false) => {
      signal.removeEventListener('abort', onAbort)
      line.removeAllListeners('close')
      line.close()
      if (!echo || interrupt) stderr.write('\n')
      act()
    }
    const onAbort = () => end(() => reject(signal.reason))
    signal.addEventListener('abort', onAbort)
    line.on('SIGINT', () =>
      end(() => {
        reject(new Error('canceled'))
        // as without a question: whoever handles Ctrl-C has it
        process.kill(process.pid, 'SIGINT')
      }, true),
    )
    line.on('close', () => end(() => reject(new Error('the input ended'))))
    line.question(plain(text), (answer) => end(() => resolve(answer)))
    shows = echo
  })
}

/** A server's words must not steer the terminal. */
function plain(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '')
}
