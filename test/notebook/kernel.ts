import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Desk, type Output, python } from './desk.ts'

const script = fileURLToPath(new URL('kernel.py', import.meta.url))

/** Deno's kernel is idle before it has told all that a cell printed. */
const lateMs = 30_000

/** A cell while it runs, and after. */
export interface Execution {
  /** What has come up to now, in order; update_display_data among them. */
  readonly outputs: readonly Output[]
  /** Resolves when an output, or all of them, answer to the question. */
  until(asks: (outputs: readonly Output[]) => boolean): Promise<void>
  /** When the kernel is idle again. */
  readonly done: Promise<readonly Output[]>
}

/** A Jupyter kernel that is driven cell by cell. */
export interface Kernel {
  readonly pid: number
  start(code: string): Execution
  run(code: string): Promise<readonly Output[]>
  interrupt(): void
  restart(): Promise<void>
  stop(): Promise<void>
}

interface Message {
  readonly type: string
  readonly parent?: string
  readonly content?: Record<string, unknown>
  readonly pid?: number
  readonly number?: number
  readonly message?: string
  readonly words?: string
}

class Running implements Execution {
  readonly outputs: Output[] = []
  readonly done: Promise<readonly Output[]>
  finish!: (outputs: readonly Output[]) => void
  fail!: (error: Error) => void
  readonly #waiting = new Set<() => void>()

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.finish = resolve
      this.fail = reject
    })
    this.done.catch(() => {}) // told by whoever awaits it
  }

  take(output: Output): void {
    this.outputs.push(output)
    for (const look of this.#waiting) look()
  }

  until(asks: (outputs: readonly Output[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let late: NodeJS.Timeout | undefined
      const look = () => {
        if (!asks(this.outputs)) return
        this.#waiting.delete(look)
        clearTimeout(late)
        resolve()
      }
      this.#waiting.add(look)
      this.done.then((outputs) => {
        if (asks(outputs)) return
        const ended = () => reject(new Error(`the cell ended with ${JSON.stringify(outputs)}`))
        late = setTimeout(ended, lateMs)
      }, reject)
      look()
    })
  }
}

/** Starts the kernel of this name in the desk's folder. */
export async function startKernel(desk: Desk, name = 'tslab'): Promise<Kernel> {
  const child = spawn(python, [script, name], {
    cwd: desk.folder,
    env: desk.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const kernel = new Driven(child)
  await kernel.ready
  return kernel
}

class Driven implements Kernel {
  pid = 0
  ready: Promise<void>
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #ended: Promise<void>
  readonly #sent: Running[] = []
  readonly #byMessage = new Map<string, Running>()
  #isReady!: () => void
  #words = ''

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#words += text
    })
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()))
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(JSON.parse(line) as Message))
    void this.#ended.then(() => {
      for (const running of this.#sent) running.fail(new Error(`the kernel's driver ended: ${this.#words}`))
    })
    this.ready = this.#awaitReady()
  }

  #awaitReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#isReady = resolve
      void this.#ended.then(() => reject(new Error(`no kernel: ${this.#words}`)))
    })
  }

  #take(message: Message): void {
    const { type, content = {} } = message
    if (type === 'ready') {
      this.pid = message.pid!
      this.#isReady()
    } else if (type === 'sent') this.#byMessage.set(message.message!, this.#sent[message.number!]!)
    else if (type === 'broken') this.#words += message.words
    const running = message.parent === undefined ? undefined : this.#byMessage.get(message.parent)
    if (!running) return
    if (type === 'status' && content['execution_state'] === 'idle') running.finish(running.outputs)
    if (!/^(stream|display_data|update_display_data|execute_result|error)$/.test(type)) return
    const display = (content['transient'] as { display_id?: string } | undefined)?.display_id
    running.take({ output_type: type, ...content, ...(display ? { display } : {}) } as Output)
  }

  #send(command: object): void {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
  }

  start(code: string): Execution {
    const running = new Running()
    this.#sent.push(running)
    this.#send({ do: 'execute', code, number: this.#sent.length - 1 })
    return running
  }

  run(code: string): Promise<readonly Output[]> {
    return this.start(code).done
  }

  interrupt(): void {
    this.#send({ do: 'interrupt' })
  }

  restart(): Promise<void> {
    this.ready = this.#awaitReady()
    this.#send({ do: 'restart' })
    return this.ready
  }

  async stop(): Promise<void> {
    this.#child.stdin.end()
    await this.#ended
  }
}

/** What a cell printed. */
export const printed = (outputs: readonly Output[], name: 'stdout' | 'stderr' = 'stdout'): string =>
  outputs
    .filter((one) => one.output_type === 'stream' && one.name === name)
    .map(({ text }) => text)
    .join('')

/** tslab passes over what comes within 200 ms of a cell that failed, and never answers it. */
export async function whenItAnswers(kernel: Kernel): Promise<void> {
  for (;;) {
    const answer = kernel.run("console.log('it answers')").then(printed)
    if ((await Promise.race([answer, sleep(2_000)]))?.includes('it answers\n')) return
  }
}
