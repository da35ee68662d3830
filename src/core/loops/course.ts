import { types } from 'node:util'
import { type FoldLog, newLog, note, replay } from './folds.ts'
import { objectsOf } from './graph.ts'
import { type Items, itemsOf, itemsOfMap } from './items.ts'
import type { Container, LoopPlan, SplitPlan } from './plan.ts'

export type Values = Record<string, unknown>

/** Where a function is when it comes to a loop that is to be split. */
export interface Pause {
  readonly loop: number
  readonly self: unknown
  readonly values: Values
  readonly items: Items
}

/** What some turns of a loop changed. */
export interface Deltas {
  readonly containers: Readonly<Record<string, unknown[]>>
  readonly folds: Readonly<Record<string, FoldLog>>
  /** Of map: what the callback gave. */
  readonly results?: readonly unknown[]
}

/** Why a loop runs where it stands after all, as far as only the running program knows. */
export interface Remark {
  readonly loop: number
  readonly why: string
}

/** Which piece of the function a call of it is to run. */
export type Part =
  | { readonly part: 'begin' }
  | { readonly part: 'items'; readonly pause: Pause; readonly from: number; readonly to: number }
  | { readonly part: 'rest'; readonly pause: Pause; readonly deltas: readonly Deltas[] }
  | { readonly part: 'over'; readonly pause: Pause }

/** Thrown where a piece ends: the loop stands in no try of the user's. */
export class Leaving {
  readonly what: { readonly pause: Pause } | { readonly deltas: Promise<Deltas> | Deltas }
  constructor(what: Leaving['what']) {
    this.what = what
  }
}

/** Runs one piece of a function: the function's own text calls it where loops begin and end. */
export class Course {
  /** Segments below have run already. */
  readonly from: number
  /** The variables of the function, where it goes on. */
  readonly restore: Values | undefined
  readonly remarks: Remark[] = []
  readonly #plan: SplitPlan
  readonly #part: Part
  readonly #self: unknown
  readonly #mayPause: (pause: Pause) => string | undefined
  readonly #light: boolean
  readonly #changes: Record<string, unknown> = {}
  readonly #folds: Record<string, FoldLog> = {}

  /**
   * @param mayPause why a pause cannot travel; undefined: it can
   * @param light loops have no bodies here: none may run
   */
  constructor(
    plan: SplitPlan,
    part: Part,
    self: unknown,
    mayPause: (pause: Pause) => string | undefined = () => undefined,
    light = false,
  ) {
    this.#light = light
    this.#plan = plan
    this.#part = part
    this.#self = self
    this.#mayPause = mayPause
    this.from = part.part === 'begin' ? 0 : part.pause.loop + 1
    this.restore = this.#restored()
  }

  #restored(): Values | undefined {
    const part = this.#part
    if (part.part === 'begin') return undefined
    const { containers, folds } = this.#plan.loops[part.pause.loop]!
    const values = { ...part.pause.values }
    if (part.part === 'items') {
      for (const [name, kind] of Object.entries(containers))
        values[name] = this.#changes[name] = recorder(kind)
      for (const { name } of folds) this.#folds[name] = newLog()
    }
    if (part.part === 'rest') {
      const ops = folds.map(({ op }) => op)
      for (const deltas of part.deltas) {
        for (const [name, changes] of Object.entries(deltas.containers))
          apply(containers[name]!, values[name], changes)
        for (const [name, log] of Object.entries(deltas.folds)) values[name] = replay(values[name], log, ops)
      }
    }
    return values
  }

  /** What the loop is to go over. */
  over(loop: number, iterable: unknown, values: () => Values): unknown {
    const part = this.#part
    if (loop < this.from - 1) return []
    if (loop === this.from - 1) {
      if (part.part === 'items') return range(part.pause.items, part.from, part.to)
      return part.part === 'over' ? part.pause.items : []
    }
    const items = itemsOf(iterable)
    if (items) this.#pauseAt(loop, items, values)
    else this.#remark(loop, `it goes over ${nameOf(iterable)}, which only the loop itself may read`)
    return items ?? iterable
  }

  /** `receiver.map(callback)` */
  map(loop: number, receiver: unknown, callback: Callback, values: () => Values): unknown {
    const part = this.#part
    const { awaits } = this.#plan.loops[loop]!
    if (loop === this.from - 1) {
      if (part.part === 'rest') return part.deltas.flatMap(({ results }) => results ?? [])
      if (part.part === 'over') return [...(part.pause.items as unknown[])].map(callback)
      if (part.part === 'items') {
        const { items, from, to } = { ...part.pause, ...part }
        const results = range(items, from, to).map((item, i) => callback(item, from + i, items as unknown[]))
        const deltas = awaits ? Promise.all(results).then((all) => this.#deltas(all)) : this.#deltas(results)
        throw new Leaving({ deltas })
      }
    }
    const items = itemsOfMap(receiver)
    if (items) this.#pauseAt(loop, items, values)
    else this.#remark(loop, `it is the map of ${nameOf(receiver)}, not of an array without holes`)
    return (receiver as unknown[]).map(callback)
  }

  /** Right behind the loop. */
  end(loop: number): void {
    if (loop === this.from - 1 && this.#part.part === 'items') throw new Leaving({ deltas: this.#deltas() })
  }

  /** What a turn gives to a variable. */
  fold<T>(loop: number, site: number, value: T): T {
    if (loop === this.from - 1 && this.#part.part === 'items')
      note(this.#folds[this.#plan.loops[loop]!.folds[site]!.name]!, site, value)
    return value
  }

  #deltas(results?: readonly unknown[]): Deltas {
    const changes = Object.entries(this.#plan.loops[this.from - 1]!.containers).map(
      ([name, kind]) => [name, changesOf(kind, this.#changes[name])] as const,
    )
    return {
      containers: Object.fromEntries(changes),
      folds: this.#folds,
      ...(results && { results }),
    }
  }

  #remark(loop: number, why: string): void {
    if (this.#light) throw new Error(why)
    this.remarks.push({ loop, why })
  }

  #pauseAt(loop: number, items: Items, values: () => Values): void {
    if (items.length < 2) {
      if (this.#light) throw new Error('a loop would run here')
      return
    }
    const pause: Pause = { loop, self: this.#self, values: values(), items }
    const why = objection(this.#plan.loops[loop]!, pause) ?? this.#mayPause(pause)
    if (why === undefined) throw new Leaving({ pause })
    this.#remark(loop, why)
  }
}

type Callback = (item: unknown, index: number, all: unknown[]) => unknown

/** Of a call that nobody split: of the function by itself, say. */
const plain = new Course({ loops: [], light: [] }, { part: 'begin' }, undefined)
const unsplit = {
  from: 0,
  restore: undefined,
  over: (_: number, iterable: unknown) => iterable,
  map: (_: number, receiver: unknown[], callback: Callback) => receiver.map(callback),
  end: plain.end.bind(plain),
  fold: <T>(_: number, __: number, value: T) => value,
}

let next: Course | undefined

/** What a function that has begun calls first. */
export function enter(): Pick<Course, 'from' | 'restore' | 'over' | 'map' | 'end' | 'fold'> {
  const course = next
  next = undefined
  return course ?? (unsplit as ReturnType<typeof enter>)
}

/** Runs a piece: gives what the function gives, or where it left. */
export async function follow(
  course: Course,
  run: () => unknown,
): Promise<{ value: unknown } | { pause: Pause } | { deltas: Deltas }> {
  next = course
  try {
    return { value: await run() }
  } catch (thrown) {
    if (!(thrown instanceof Leaving)) throw thrown
    return 'pause' in thrown.what ? thrown.what : { deltas: await thrown.what.deltas }
  } finally {
    next = undefined
  }
}

function range(items: Items, from: number, to: number): unknown[] {
  return Array.from({ length: to - from }, (_, i) => (items as unknown[]).at(from + i))
}

/** Stands for an array, set or map that the loop only adds to. */
function recorder(kind: Container): unknown {
  if (kind === 'push') return []
  if (kind === 'add') return new Set()
  if (kind === 'set') return new Map()
  const changes: unknown[] = []
  const target = {}
  records.set(target, changes)
  const set = (_: object, key: PropertyKey, value: unknown) => {
    changes.push(typeof key === 'string' && String(Number(key)) === key ? Number(key) : key, value)
    return true
  }
  const proxy = new Proxy(target, { set })
  records.set(proxy, changes)
  return proxy
}

const records = new WeakMap<object, unknown[]>()

function changesOf(kind: Container, made: unknown): unknown[] {
  if (kind === 'push') return made as unknown[]
  if (kind === 'add') return [...(made as Set<unknown>)]
  if (kind === 'set') return [...(made as Map<unknown, unknown>)].flat()
  return records.get(made as object)!
}

function apply(kind: Container, into: unknown, changes: readonly unknown[]): void {
  if (kind === 'push') for (const value of changes) (into as unknown[]).push(value)
  else if (kind === 'add') for (const value of changes) (into as Set<unknown>).add(value)
  else
    for (let i = 0; i < changes.length; i += 2) {
      if (kind === 'set') (into as Map<unknown, unknown>).set(changes[i], changes[i + 1])
      // As in a module, where the user's own assignment stood.
      else (into as Values)[changes[i] as string] = changes[i + 1]
    }
}

function objection({ containers, body, head }: LoopPlan, pause: Pause): string | undefined {
  const { values } = pause
  const changed = new Map<object, string>()
  for (const [name, kind] of Object.entries(containers)) {
    const value = values[name]
    if (!suits(kind, value)) return `'${name}' is ${nameOf(value)}, not what ${verbs[kind]} needs`
    const other = changed.get(value as object)
    if (other !== undefined) return `'${name}' and '${other}' are one and the same`
    changed.set(value as object, name)
  }
  if (changed.size === 0) return undefined
  const read = [...body, ...head]
    .filter((name) => !Object.hasOwn(containers, name))
    .map((name) => values[name])
  const items = Array.isArray(pause.items) ? pause.items : []
  for (const object of objectsOf([read, items, typeof pause.self === 'object' ? pause.self : undefined])) {
    const name = changed.get(object)
    if (name !== undefined) return `'${name}' can also be reached from what the loop reads`
  }
  return undefined
}

const verbs: Record<Container, string> = {
  push: 'push',
  index: 'an assignment by index',
  add: 'add',
  set: 'set',
}

function suits(kind: Container, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  if (kind === 'add') return prototype === Set.prototype
  if (kind === 'set') return prototype === Map.prototype
  if (prototype === Array.prototype) return !Object.isFrozen(value) && !Object.isSealed(value)
  if (kind === 'push') return false
  return prototype === Object.prototype || prototype === null || types.isTypedArray(value)
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  const name = typeof value === 'object' ? Object.getPrototypeOf(value)?.constructor?.name : undefined
  if (name === '' || name === 'GeneratorFunction') return 'a generator'
  return typeof value === 'object' ? `of class ${name ?? 'none'}` : `a ${typeof value}`
}
