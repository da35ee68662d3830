import inspector from 'node:inspector'
import { CaptureError } from '../core/errors.ts'
import { answeredAtOnce, inspectorHint, isDeno } from './deno.ts'

/** One set of captured variables, innermost first. The values are the real ones, not copies. */
export interface Scope {
  description: string
  object: Record<string, unknown>
}

export interface Inspected {
  scopes: Scope[]
  /** 0-based, in the script that V8 runs. */
  location?: { scriptId: string; line: number; column: number }
  /** A bound function's parts. */
  bound?: { fn: Function; self: unknown; args: unknown[] }
}

interface RemoteObject {
  objectId?: string
  value?: unknown
  description?: string
}
interface Property {
  name: string
  value?: RemoteObject
}

let session: inspector.Session | undefined

function post<T>(method: string, params: object = {}): T {
  session ??= connect()
  const open = session
  let failure: Error | null = null
  let answer: unknown
  let isAnswered = false
  // on a session of the same thread the callback runs before post() returns
  const send = () =>
    open.post(method, params, (error, result) => {
      isAnswered = true
      failure = error
      answer = result
    })
  if (isDeno) answeredAtOnce(send)
  else send()
  if (failure) throw failure
  if (!isAnswered) throw unavailable(new Error(`${method} was not answered at once`))
  return answer as T
}

function connect(): inspector.Session {
  // Bun has no V8
  if ('bun' in process.versions)
    throw new CaptureError(
      'CAPTURE_REFUSED',
      'the values that the function captured cannot be read under Bun',
      { hint: 'run the program with Node: farcall run, tsx, or one of docs/toolchains.md' },
    )
  const made = new inspector.Session()
  try {
    made.connect()
  } catch (cause) {
    throw unavailable(cause)
  }
  return made
}

function unavailable(cause: unknown): CaptureError {
  const hint = isDeno ? inspectorHint : 'run without --permission'
  return new CaptureError(
    'CAPTURE_REFUSED',
    'the values that the function captured cannot be read: the inspector is not available',
    { cause, hint },
  )
}

/**
 * What the inspector's evaluations use to hand values over. On a built-in module, not on globalThis:
 * under vitest's vm pools that is another context.
 */
const slot = Symbol.for('farcall.inspect')
const stash = process.getBuiltinModule('node:inspector') as unknown as Record<symbol, unknown>
const slotText = "process.getBuiltinModule('node:inspector')[Symbol.for('farcall.inspect')]"
const group = 'farcall'

function withRemote<T>(value: unknown, use: (objectId: string) => T): T {
  stash[slot] = value
  try {
    const { result } = post<{ result: RemoteObject }>('Runtime.evaluate', {
      expression: slotText,
      objectGroup: group,
      silent: true,
    })
    return use(result.objectId!)
  } finally {
    stash[slot] = undefined
    post('Runtime.releaseObjectGroup', { objectGroup: group })
  }
}

const handBack = (objectId: string): unknown => {
  post('Runtime.callFunctionOn', {
    objectId,
    functionDeclaration: `function(){ ${slotText} = this }`,
    silent: true,
  })
  return stash[slot]
}

/** Reads the variables that `fn` captured and where V8 has it. Synchronous. */
export function inspectFunction(fn: Function): Inspected {
  return withRemote(fn, (objectId) => {
    const { internalProperties = [] } = post<{ internalProperties?: Property[] }>('Runtime.getProperties', {
      objectId,
      ownProperties: true,
    })
    const find = (name: string) => internalProperties.find((p) => p.name === name)?.value
    const target = find('[[TargetFunction]]')
    if (target?.objectId) {
      const read = (remote: RemoteObject | undefined) =>
        remote?.objectId ? handBack(remote.objectId) : primitive(remote ?? {})
      const fn = read(target) as Function
      const args = Array.from(read(find('[[BoundArgs]]')) as ArrayLike<unknown>)
      return { scopes: [], bound: { fn, self: read(find('[[BoundThis]]')), args } }
    }
    const location = find('[[FunctionLocation]]')?.value as
      | { scriptId: string; lineNumber: number; columnNumber: number }
      | undefined
    const scopes = find('[[Scopes]]')
    return {
      scopes: scopes?.objectId ? Array.from(handBack(scopes.objectId) as ArrayLike<Scope>) : [],
      ...(location && {
        location: {
          scriptId: location.scriptId,
          line: location.lineNumber,
          column: location.columnNumber,
        },
      }),
    }
  })
}

/** What a text gives where the program itself would evaluate it: of a promise, the promise. */
export function evaluate(expression: string): unknown {
  try {
    post('Runtime.evaluate', { expression: `${slotText} = ${expression}`, objectGroup: group, silent: true })
    return stash[slot]
  } finally {
    stash[slot] = undefined
    post('Runtime.releaseObjectGroup', { objectGroup: group })
  }
}

/** The #private fields of an object, by name with the '#'. */
export function privatesOf(value: object): Record<string, unknown> {
  return withRemote(value, (objectId) => {
    const { privateProperties = [] } = post<{ privateProperties?: (Property & { get?: unknown })[] }>(
      'Runtime.getProperties',
      { objectId, ownProperties: true },
    )
    const found: Record<string, unknown> = {}
    for (const p of privateProperties) {
      // private methods and accessors come with the class
      if (p.value === undefined) continue
      found[p.name] = p.value.objectId ? handBack(p.value.objectId) : primitive(p.value)
    }
    return found
  })
}

function primitive(remote: RemoteObject & { unserializableValue?: string; type?: string }): unknown {
  const text = remote.unserializableValue
  if (text === undefined) return remote.value
  return text.endsWith('n') ? BigInt(text.slice(0, -1)) : Number(text)
}

export interface Script {
  url: string
  sourceMapURL: string
}

const scripts = new Map<string, Script & { source?: string }>()

/**
 * The script with this id. Costs 30 to 150 ms the first time: V8 names every script that it holds.
 * Switched off again at once, so that the program runs at full speed.
 */
export function scriptOf(scriptId: string): (Script & { source: string }) | undefined {
  let script = scripts.get(scriptId)
  if (script?.source === undefined)
    debugging(() => {
      script = scripts.get(scriptId)
      if (script) script.source = sourceOf(scriptId)
    })
  return script?.source === undefined ? undefined : (script as Script & { source: string })
}

/** Every script that V8 holds, oldest first. */
export function allScripts(): (Script & { id: string; source: () => string })[] {
  return debugging(() =>
    [...scripts].map(([id, script]) => ({
      id,
      ...script,
      source: () => script.source ?? debugging(() => sourceOf(id)),
    })),
  )
}

/** Those at such an address, with their texts. One that V8 let go while they were read is left out. */
export function scriptsAt(isWanted: (url: string) => boolean): { id: string; text: string }[] {
  return debugging(() =>
    [...scripts].flatMap(([id, script]) => {
      if (!isWanted(script.url)) return []
      try {
        script.source ??= sourceOf(id)
      } catch (error) {
        // nothing holds it any more: no function of it can be met
        if (/No script for id/.test(String(error))) return []
        throw error
      }
      return [{ id, text: script.source }]
    }),
  )
}

/** Those that V8 held when it was last asked, by their ids. */
export const knownScripts = (): ReadonlyMap<string, Script> => scripts

const sourceOf = (scriptId: string) =>
  post<{ scriptSource: string }>('Debugger.getScriptSource', { scriptId }).scriptSource

function debugging<T>(use: () => T): T {
  session ??= connect()
  const listen = ({ params }: { params: inspector.Debugger.ScriptParsedEventDataType }) => {
    const known = scripts.get(params.scriptId)
    if (!known) scripts.set(params.scriptId, { url: params.url, sourceMapURL: params.sourceMapURL ?? '' })
  }
  // V8 names those that it still holds again
  for (const [id, { source }] of scripts) if (source === undefined) scripts.delete(id)
  session.on('Debugger.scriptParsed', listen)
  try {
    post('Debugger.enable')
    post('Debugger.setSkipAllPauses', { skip: true })
    return use()
  } finally {
    post('Debugger.disable')
    session.off('Debugger.scriptParsed', listen)
  }
}
