/**
 * What `import … from 'farcall'` gives inside a bundle: a decorated function that calls another one runs it
 * inline. Runs on Node 16.
 */
export const stub = `
const refuse = (what) => {
  throw Object.assign(new Error(what + " was called inside a job\\n  hint: submit from the program that runs outside; inside a job a remote function runs inline"),
    { name: "FarcallError", code: "CALLED_IN_JOB" })
}
const collect = async (items) => {
  const all = []
  for await (const item of items) all.push(item)
  return all
}
const wrap = (fn) => {
  const call = function (...args) { return fn.apply(this, args) }
  Object.defineProperty(call, "name", { value: fn.name, configurable: true })
  Object.defineProperty(call, "length", { value: fn.length, configurable: true })
  const inline = {
    map: async (items) => { const out = []; for (const item of await collect(items)) out.push(await fn(item)); return out },
    starmap: async (lists) => { const out = []; for (const list of await collect(lists)) out.push(await fn(...list)); return out },
    local: (...args) => fn(...args),
    with: () => call,
    script: () => refuse("script()"),
  }
  for (const key of Object.keys(inline)) Object.defineProperty(call, key, { value: inline[key] })
  return call
}
const decorator = (target, key, descriptor) => {
  if (typeof target === "function" && key === undefined) return wrap(target)
  return key !== null && typeof key === "object" ? undefined : descriptor
}
const gathered = (fn) => {
  const all = function (...args) { const value = fn.apply(this, args); return value instanceof Promise ? value.then((one) => [one]) : [value] }
  Object.defineProperty(all, "name", { value: fn.name, configurable: true })
  Object.defineProperty(all, "length", { value: fn.length, configurable: true })
  return all
}
export const cluster = (options, fn) => typeof options === "function" ? wrap(options) : fn === undefined ? decorator : wrap(options && options.gather ? gathered(fn) : fn)
cluster.as = () => cluster
export const remote = (target, key) => {
  if (key === undefined) return typeof target === "function" && !target.map ? wrap(target) : target
  return wrap(target[key].bind(target))
}
export const configure = () => {}
export const getConfig = () => ({ profiles: {} })
export const defineConfig = (config) => config
export const currentTask = () => {
  const task = globalThis[Symbol.for("farcall.task")]
  if (task) return task
  throw Object.assign(new Error("currentTask() was called outside of a job\\n  hint: call it in a function that runs as a job, or try that function by .local()"), { name: "FarcallError", code: "NOT_IN_JOB" })
}
const checkpoints = () => globalThis[Symbol.for("farcall.checkpoints")]
export const checkpoint = (state) => { const at = checkpoints(); if (at) at.checkpoint(state) }
export const lastCheckpoint = () => { const at = checkpoints(); return at && at.lastCheckpoint() }
export const onWarning = (save) => { const at = checkpoints(); if (at) at.onWarning(save) }
export const warned = () => { const at = checkpoints(); return at ? at.warned() : false }
export const fs = globalThis[Symbol.for("farcall.files")]
export class Listing {}
export const localFile = (path) => path
export const remoteFile = (path) => {
  const at = globalThis[Symbol.for("farcall.files")]
  return at && at.expand ? at.expand(path) : path
}
export const range = (a, b, step) => {
  const [from, to] = b === undefined ? [0, a] : [a, b]
  const by = step === undefined ? 1 : step
  if (by === 0) throw new RangeError("range: the step is 0")
  const out = []
  for (let i = 0; by > 0 ? from + i * by < to : by < 0 && from + i * by > to; i++) out.push(from + i * by)
  return out
}
export const gather = async (jobs) => {
  const ends = await Promise.allSettled(jobs)
  const errors = ends.flatMap((end, index) => {
    if (end.status !== "rejected") return []
    const error = end.reason
    if (typeof error === "object" && error !== null && Object.isExtensible(error) && !("index" in error))
      Object.defineProperty(error, "index", { value: index, enumerable: true, configurable: true, writable: true })
    return [error]
  })
  if (errors.length === 0) return ends.map((end) => end.value)
  const first = errors[0] instanceof Error ? errors[0].message.split("\\n")[0] : String(errors[0])
  throw new AggregateError(errors, errors.length + " of " + ends.length + " failed; the first: " + first)
}
export const progress = (...args) => {
  const task = globalThis[Symbol.for("farcall.task")]
  if (task) task.progress(...args)
}
export const share = (value) => Object.freeze({ value })
export const localMap = async (items, fn, ...rest) => {
  const closures = globalThis[Symbol.for("farcall.closures")]
  const marked = rest.length > 0 && rest[0] && rest[0][Symbol.for("farcall.closure")]
  if (marked) { rest.shift(); if (typeof fn === "function") closures.set(fn, marked) }
  const threads = globalThis[Symbol.for("farcall.threads")]
  return threads ? threads(items, fn, rest[0]) : runHere(items, fn)
}
const runHere = async (items, fn) => { let index = 0; const out = []; for (const item of await collect(items)) out.push(await fn(item, index++)); return out }
export const connect = () => refuse("connect()")
export const attach = () => refuse("attach()")
export const command = Object.assign(() => refuse("command()"), { map: () => refuse("command.map()"), script: () => refuse("command.script()") })
export const script = Object.assign(() => refuse("script()"), { script: () => refuse("script.script()") })
export class FarcallError extends Error {
  constructor(code, message, options = {}) {
    super(message)
    this.name = new.target.name
    this.code = code
    this.hint = options.hint
    this.transient = options.transient === true
  }
}
export class FileError extends FarcallError {}
export class ConfigError extends FarcallError {}
export class CaptureError extends FarcallError {}
export class TransportError extends FarcallError {}
export class SubmitError extends FarcallError {}
export class ResultError extends FarcallError {}
export class JobFailedError extends FarcallError {}
export class JobCanceledError extends FarcallError {}
export default { fs, localFile, remoteFile, checkpoint, lastCheckpoint, onWarning, warned, cluster, remote, configure, getConfig, defineConfig, currentTask, progress, range, gather, share, localMap, connect, attach, command, script }
`

/** Files that travel in the bundle: written when they are first asked for, gone with the process. */
export const assets = `
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { pathToFileURL, fileURLToPath } from "node:url"
let root
const folder = () => {
  if (root === undefined) {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "farcall-assets-"))
    // a worker looks up its packages from there
    for (let at = path.dirname(fileURLToPath(import.meta.url)); ; at = path.dirname(at)) {
      const modules = path.join(at, "node_modules")
      if (fs.existsSync(modules)) fs.symlinkSync(modules, path.join(root, "node_modules"))
      if (fs.existsSync(modules) || at === path.dirname(at)) break
    }
    process.on("exit", () => fs.rmSync(root, { recursive: true, force: true }))
  }
  return fs.mkdtempSync(path.join(root, "a"))
}
/** The base URL from which the user's own relative path leads to the file. */
export const asset = (from, data) => {
  let base
  return { get url() {
    if (base === undefined) {
      const ups = from.split("/").filter((part) => part === "..").length
      base = pathToFileURL(path.join(folder(), ...new Array(ups).fill("_"), "x")).href
      const file = fileURLToPath(new URL(from.replace(/[?#].*$/, ""), base))
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, Buffer.from(data, "base64"))
    }
    return base
  } }
}
`

/** Shared by every emitted module: how a class is filled without its constructor, and a function found in another thread. */
export const support = `
const closures = globalThis[Symbol.for("farcall.closures")] || (globalThis[Symbol.for("farcall.closures")] = new WeakMap())
export const $farcallThread = (id, captures) => ({ [Symbol.for("farcall.closure")]: { id, captures } })
$farcallThread.of = (fn, id, captures) => {
  if (typeof fn === "function" && !closures.has(fn)) closures.set(fn, { id, captures })
  return fn
}
export const $farcallPrivates = new Map()
const loops = () => globalThis[Symbol.for("farcall.loops")]
let values
export const $farcallLoops = {
  enter: () => loops().enter(),
  count: (first, op, bound, step) => loops().count(first, op, bound, step),
  values: (given) => { values = given },
  run: (main, plan, self, args) => loops().run(main, plan, { self, args }, values),
}
export function $farcallBlank() {}
// stands for every argument of a constructor that is entered only to install #private fields
const anything = new Proxy(function () {}, {
  get: (target, key) => key === Symbol.iterator ? function* () {} : key === Symbol.toPrimitive ? () => 0 : anything,
  apply: () => anything,
  construct: () => anything,
})
const installs = (c) => $farcallPrivates.has(c) && $farcallPrivates.get(c).set !== undefined
const chain = (type) => { const all = []; for (let c = type; typeof c === "function" && c !== Function.prototype; c = Object.getPrototypeOf(c)) all.push(c); return all }
export const blank = (type) => {
  if (!chain(type).some(installs)) return Object.create(type.prototype)
  $farcallBlank.prototype = type.prototype
  const object = Reflect.construct(type, new Array(16).fill(anything), $farcallBlank)
  for (const key of Reflect.ownKeys(object)) delete object[key]
  return object
}
const define = (object, fields) => {
  for (const key of Reflect.ownKeys(fields))
    Object.defineProperty(object, key, { value: fields[key], writable: true, enumerable: true, configurable: true })
}
/** Their #private fields could not be put back at home. */
export const hidden = (type) => typeof type[Symbol.for("farcall.revive")] !== "function" && chain(type).some(installs)
export const fill = (type, object, fields, privates) => {
  const revive = type[Symbol.for("farcall.revive")]
  if (typeof revive === "function") return void revive.call(type, object, fields)
  define(object, fields)
  if (privates) for (const c of chain(type)) { const hooks = $farcallPrivates.get(c); if (hooks && hooks.set) hooks.set(object, privates) }
}
export const own = (fn, properties) => { if (properties) define(fn, properties) }
export const ownPrivates = (type, fields) => $farcallPrivates.get(type).own(fields)
export const bound = () => {
  let inner
  const object = function (...args) {
    const all = inner.args.concat(args)
    return new.target === undefined ? inner.fn.apply(inner.self, all) : Reflect.construct(inner.fn, all, new.target === object ? inner.fn : new.target)
  }
  return { object, fill(fields, properties) {
    inner = fields
    Object.defineProperty(object, "name", { value: "bound " + fields.fn.name, configurable: true })
    Object.defineProperty(object, "length", { value: Math.max(0, fields.fn.length - fields.args.length), configurable: true })
    own(object, properties)
  } }
}
export const global = (path) => path.split(".").reduce((at, key) => at[key], globalThis)
`
