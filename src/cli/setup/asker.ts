import { ConfigError } from '../../core/errors.ts'

/** Who sets up a host: a person at a terminal, or flags. */
export interface Asker {
  /** Where it stands. */
  say(text: string): void
  /** Something to look at before a question. */
  show(title: string, text: string): void
  /** A change, which --yes agrees to beforehand. @throws Declined */
  confirm(question: string): Promise<void>
  /** What nobody agrees to beforehand but by a flag that says what. @throws Declined */
  trust(question: string, flag: string): Promise<void>
  /** What is not to be seen. @throws Declined */
  secret(question: string): Promise<string>
  text(question: string): Promise<string>
  end(text: string): void
}

/** The person said no, or left: what was done until then stays, and nothing more is done. */
export class Declined extends Error {}

/** Questions by @clack/prompts, on stderr: stdout is for data. */
export async function terminalAsker(yes: boolean): Promise<Asker> {
  const { confirm, isCancel, log, note, outro, password, text } = await import('@clack/prompts')
  const output = process.stderr
  const answered = <T>(answer: T): Exclude<T, symbol> => {
    if (isCancel(answer)) throw new Declined()
    return answer as Exclude<T, symbol>
  }
  return {
    say: (words) => log.step(words, { output }),
    show: (title, words) => note(words, title, { output, format: (line) => line }),
    async confirm(message) {
      if (!yes && !answered(await confirm({ message, output }))) throw new Declined()
    },
    async trust(message) {
      if (!answered(await confirm({ message, output }))) throw new Declined()
    },
    secret: async (message) => answered(await password({ message, output })),
    text: async (message) => answered(await text({ message, output })),
    end: (words) => outro(words, { output }),
  }
}

/** Nobody is asked: what a flag does not allow is an error that names it. */
export function flagAsker(yes: boolean, password: string | undefined): Asker {
  const write = (text: string) => void process.stderr.write(`${text}\n`)
  let unused = password
  return {
    say: write,
    show: (title, text) => write(`${title}\n${text.replace(/^/gm, '  ')}`),
    async confirm(question) {
      if (!yes) throw nobodyThere(question, '--yes says yes')
    },
    async trust(question, flag) {
      throw nobodyThere(question, `${flag} says yes`)
    },
    async secret(question) {
      if (unused === undefined)
        throw nobodyThere(question, '--password-env NAME names the environment variable that holds it')
      const answer = unused
      unused = undefined
      return answer
    },
    async text(question) {
      throw nobodyThere(question, 'run farcall setup on a terminal')
    },
    end: write,
  }
}

function nobodyThere(question: string, hint: string): ConfigError {
  return new ConfigError('OPTION_INVALID', `there is no terminal to ask: ${question}`, { hint })
}
