export interface Position {
  path: string
  /** Both 1-based, as in stacks. */
  line: number
  column: number
}

/**
 * Where a position of a script is in its source, when only what writes the stacks knows: vite's runner keeps the
 * maps of its modules to itself (vitest 5), and maps each stack as it is written. It is asked with a made-up frame.
 */
export function runnerPosition(script: Position): Position | undefined {
  const prepare = stackWriter()
  if (!prepare) return undefined
  let text: string
  try {
    text = String(prepare(new Error(), [new MadeUpFrame(script)]))
  } catch {
    // it may be anyone's, and need more of a frame than this one has: then it does not say
    return undefined
  }
  const at = /(?:^|at |\()((?:file:\/\/)?\/.*):(\d+):(\d+)\)?$/.exec(text.split('\n').at(-1)!)
  if (!at) return undefined
  const [line, column] = [Number(at[2]), Number(at[3])]
  if (line === script.line && column === script.column) return undefined
  return { path: at[1]!, line, column }
}

type StackWriter = (error: Error, frames: unknown[]) => unknown

/** In vitest's vm pools Error is another one than that of the runner, which only Node's own classes lead to. */
function stackWriter(): StackWriter | undefined {
  const { AssertionError } = process.getBuiltinModule('node:assert')
  const runners = Object.getPrototypeOf(AssertionError) as { prepareStackTrace?: unknown }
  const prepare: unknown = Reflect.get(Error, 'prepareStackTrace') ?? runners.prepareStackTrace
  return typeof prepare === 'function' ? (prepare as StackWriter) : undefined
}

/** What V8 gives for a frame. The methods must be on the prototype: that is what is copied of it. */
class MadeUpFrame {
  private readonly at: Position

  constructor(at: Position) {
    this.at = at
  }
  getFileName() {
    return this.at.path
  }
  getScriptNameOrSourceURL() {
    return this.at.path
  }
  getLineNumber() {
    return this.at.line
  }
  getColumnNumber() {
    return this.at.column
  }
  getFunctionName() {
    return null
  }
  getMethodName() {
    return null
  }
  getTypeName() {
    return null
  }
  getThis() {
    return undefined
  }
  getFunction() {
    return undefined
  }
  getEvalOrigin() {
    return undefined
  }
  getPromiseIndex() {
    return null
  }
  isNative() {
    return false
  }
  isEval() {
    return false
  }
  isToplevel() {
    return true
  }
  isConstructor() {
    return false
  }
  isAsync() {
    return false
  }
  isPromiseAll() {
    return false
  }
  toString() {
    return `${this.at.path}:${this.at.line}:${this.at.column}`
  }
}
