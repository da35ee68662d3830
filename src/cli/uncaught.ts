import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { FarcallError } from '../core/errors.ts'
import { frameOf, frameText, userFrame } from './code-frame.ts'

export interface ShownHow {
  /** Code frames and colours: stderr is a terminal, or FORCE_COLOR asks for it. */
  terminal: boolean
  verbose: boolean
}

/** Our own files: what lies beside this folder. */
const ownFolder = `${dirname(dirname(fileURLToPath(import.meta.url)))}/`
const isOwn = (path: string) => path.startsWith(ownFolder)

/** Tells errors that reach the top of the user's program. Those that it handles itself are none of ours. */
export function tellUncaught({ verbose }: { verbose: boolean }): void {
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback())
      return
    const text = uncaughtText(error, { terminal: isTerminal(), verbose })
    // undefined: Node tells it best
    if (text === undefined) return
    process.stderr.write(text)
    // what Node does next, but for telling it once more
    process.exit(1)
  })
}

function isTerminal(): boolean {
  const { FORCE_COLOR, NO_COLOR } = process.env
  if (FORCE_COLOR !== undefined) return !/^(0|false)$/.test(FORCE_COLOR)
  return process.stderr.isTTY === true && !NO_COLOR
}

/** What to print of an error; undefined when it is to be left to Node. */
export function uncaughtText(error: unknown, { terminal, verbose }: ShownHow): string | undefined {
  if (!(error instanceof Error)) return undefined
  const stack = error.stack ?? ''
  const frame = terminal ? userFrame(stack, isOwn) : undefined
  const code = frame && frameText(frame)
  const above = code ? `${code}\n\n` : ''
  if (error instanceof FarcallError) {
    const where = verbose ? stack : userFrames(stack)
    const lines = [`error ${error.code}: ${error.message}`, where, `  see: ${error.docs}`]
    return `${above}${lines.filter(Boolean).join('\n')}\n`
  }
  return code && `${above}${inspect(error, { colors: terminal })}\n`
}

/** Where in the user's program an error of ours came up, without our internals. */
function userFrames(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => {
      const frame = frameOf(line)
      return frame !== undefined && !isOwn(frame.path) && !frame.path.includes('/node_modules/')
    })
    .join('\n')
}
