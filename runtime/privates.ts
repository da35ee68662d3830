import type { Runtime, Session } from 'node:inspector'

const exchange = Symbol.for('farcall.exchange')
const slot = `globalThis[Symbol.for('farcall.exchange')]`

/**
 * The #private fields of an instance in a result, by name with the '#'; undefined when its classes have none.
 * @throws Error when they cannot be read, for a result must not lose them in silence
 */
export function privatesOf(value: object): Record<string, unknown> | undefined {
  const source = classSource(value)
  if (!source.includes('#')) return undefined
  // Loaded here only: few results need it, and it costs milliseconds.
  const inspector: typeof import('node:inspector') = require('node:inspector')
  const session = new inspector.Session()
  session.connect()
  const held: { value?: unknown } = {}
  Reflect.set(globalThis, exchange, held)
  try {
    held.value = value
    const { result } = post<{ result: Runtime.RemoteObject }>(session, 'Runtime.evaluate', {
      expression: `${slot}.value`,
    })
    const { privateProperties = [] } = post<{ privateProperties?: Runtime.PropertyDescriptor[] }>(
      session,
      'Runtime.getProperties',
      { objectId: result.objectId, ownProperties: true },
    )
    const found: Record<string, unknown> = {}
    for (const { name, value: remote } of privateProperties) {
      // Accessors and methods come with the class. Node 16 lists methods among the fields: the text tells.
      if (!remote || (remote.type === 'function' && isMethod(source, name))) continue
      if (name in found) throw new Error(`two of its classes have a field ${name}; rename one of them`)
      if (remote.objectId === undefined) {
        found[name] = primitive(remote)
        continue
      }
      post(session, 'Runtime.callFunctionOn', {
        objectId: remote.objectId,
        functionDeclaration: `function () { ${slot}.value = this }`,
      })
      found[name] = held.value
    }
    return Object.keys(found).length > 0 ? found : undefined
  } finally {
    Reflect.deleteProperty(globalThis, exchange)
    session.disconnect()
  }
}

/** The text of the value's classes. */
function classSource(value: object): string {
  let text = ''
  for (let at = Object.getPrototypeOf(value); at !== null && at !== Object.prototype; ) {
    const type = Object.getOwnPropertyDescriptor(at, 'constructor')?.value
    if (typeof type === 'function') text += `${Function.prototype.toString.call(type)}\n`
    at = Object.getPrototypeOf(at)
  }
  return text
}

function isMethod(source: string, name: string): boolean {
  // A call has a dot before it: this.#name(
  for (let at = source.indexOf(name); at >= 0; at = source.indexOf(name, at + 1))
    if (source[at - 1] !== '.' && /^\s*\(/.test(source.slice(at + name.length))) return true
  return false
}

function post<T>(session: Session, method: string, params: object): T {
  let failure: Error | null = null
  let answer: unknown
  // In a session of its own thread the answer is there before post() returns.
  session.post(method, params, (error, result) => {
    failure = error
    answer = result
  })
  if (failure) throw failure
  return answer as T
}

function primitive(remote: Runtime.RemoteObject): unknown {
  const text = remote.unserializableValue
  if (text === undefined) return remote.value
  return text.endsWith('n') ? BigInt(text.slice(0, -1)) : Number(text)
}
