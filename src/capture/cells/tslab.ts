import { createRequire } from 'node:module'
import { inspectFunction, scriptsAt } from '../inspect.ts'
import { noteNext, noteRunning } from './cells.ts'
import { isCell, isCellUrl } from './compiled.ts'

/** What cells see of each other: tslab gives it to each as `exports`. */
interface Notebook {
  readonly exports: Record<string, unknown>
  readonly require: (specifier: string) => unknown
}

/** The part of tslab 1.0 that is given what was typed. */
interface Handler {
  readonly execCount: number
  handleExecuteImpl(request: Request, ...rest: unknown[]): Promise<unknown>
}

interface Request {
  readonly code: string
}

/** The notebook that this program runs in, when tslab is its kernel. */
export function tslabNotebook(): Notebook | undefined {
  return (globalThis as { __tslab__?: Notebook }).__tslab__
}

let isWatching = false

/**
 * From now on, keeps the text of each cell that runs: tslab compiles cells without a source map. In a tslab that is
 * made otherwise, the compiled text is what is read.
 */
export function watchCells(): void {
  if (isWatching || !tslabNotebook()) return
  isWatching = true
  const handler = findHandler()
  if (!handler) return
  let first: number | undefined
  noteThis(() => first)
  const { handleExecuteImpl } = handler
  handler.handleExecuteImpl = function (request, ...rest) {
    const number = this.execCount + 1
    first ??= this.execCount
    noteNext({ number: () => number, text: request.code })
    return handleExecuteImpl.call(this, request, ...rest)
  }
}

function findHandler(): Handler | undefined {
  const modules = createRequire(import.meta.url).cache
  const path = Object.keys(modules).find((name) => /[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(name))
  const handler = path && modules[path]?.exports?.JupyterHandlerImpl?.prototype
  return typeof handler?.handleExecuteImpl === 'function' ? handler : undefined
}

/** The cell that imports farcall. Its text is in the request that what it prints is an answer to. */
function noteThis(number: () => number | undefined): void {
  try {
    const answer = variable(process.stdout.write, 'writeStream')
    const request = typeof answer === 'function' ? variable(answer, 'msg') : undefined
    const text = (request as { content?: Partial<Request> } | undefined)?.content?.code
    const script = text === undefined ? undefined : runningScript()
    if (script !== undefined) noteRunning({ number, text: text! }, script)
  } catch {
    // the inspector is not to be had: the first call says so
  }
}

const variable = (fn: Function, name: string): unknown =>
  inspectFunction(fn).scopes.find(({ object }) => Object.hasOwn(object, name))?.object[name]

function runningScript(): string | undefined {
  return scriptsAt(isCellUrl)
    .reverse()
    .find(({ text }) => isCell(text))?.id
}
