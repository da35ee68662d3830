import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll } from 'vitest'
// @ts-expect-error: plain JavaScript, since it runs before anything is built
import { buildRuntime } from '../../scripts/build.mjs'
import { decode, encode } from '../../src/codec/codec.ts'
import type { Reference } from '../../src/codec/types.ts'
import { decodeRecords, encodeTable, type PackRecord } from '../../src/core/pack.ts'
import { type JobSpec, type MemberEnd, paths, protocolVersion } from '../../src/core/protocol.ts'
import { renderScript, type ScriptContext } from '../../src/scheduler/render.ts'
import { removeFolder } from '../remove-folder.ts'

const runtime: string = await buildRuntime()
/** The node of the jobs: FARCALL_TEST_NODE runs these tests on an older one. */
export const nodeProgram = process.env['FARCALL_TEST_NODE'] ?? process.execPath
export const nodeVersion = execFileSync(nodeProgram, ['--version'], { encoding: 'utf8' }).trim()
const id = 'fabcdefghijklm'
const client = 'client-1'

export interface JobOptions {
  /** The body of `async function main(...args)`. */
  body?: string
  /** Text at the bundle's top level. */
  top?: string
  args?: readonly (readonly unknown[])[]
  self?: unknown
  values?: unknown
  reference?: (value: object) => Reference | undefined
  chunk?: number
  shell?: readonly string[]
  spec?: Partial<JobSpec>
  script?: Partial<ScriptContext>
  template?: string
  env?: NodeJS.ProcessEnv
}

export interface Job {
  readonly workdir: string
  readonly folder: string
  readonly bundle: string
  /** Runs job.sh to its end; with more variables, as a scheduler does that starts it again. */
  run(env?: NodeJS.ProcessEnv): Promise<{ code: number | null; stdout: string; stderr: string }>
  /** Starts job.sh as the leader of a process group of its own. */
  start(env?: NodeJS.ProcessEnv): ChildProcess
  member(k: number, attempt?: number): Member
}

export interface Member {
  readonly end: MemberEnd | undefined
  readonly records: readonly PackRecord[]
  readonly torn: string | undefined
  readonly out: string
  readonly err: string
  readonly notice: Notice | undefined
  value(index: number): unknown
  error(index: number): unknown
}

export interface Notice {
  readonly end: MemberEnd
  readonly records: readonly PackRecord[]
}

export const shells: readonly (readonly string[])[] = [
  ['dash'],
  ['bash'],
  ['bash', '--posix'],
  ['busybox', 'sh'],
].filter(([name]) => ['/bin', '/usr/bin'].some((folder) => existsSync(`${folder}/${name}`)))

const made: string[] = []
afterAll(() => {
  for (const folder of made) removeFolder(folder)
})

/** Gone when the test file is done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-run-'))
  made.push(folder)
  return folder
}

/** A job folder made by hand, around a bundle written by hand. */
export function makeJob(options: JobOptions = {}): Job {
  // A workdir may be called anything.
  const workdir = join(temporaryFolder(), `it's a "$(work)" dir é`)
  const folder = join(workdir, paths.job(id))
  mkdirSync(folder, { recursive: true })
  mkdirSync(join(workdir, 'blobs'))

  const code = Buffer.from(bundleText(options))
  const sha256 = createHash('sha256').update(code).digest('hex')
  const bundle = join(workdir, 'blobs', `${sha256}.mjs`)
  writeFileSync(bundle, code)
  const runtimeBlob = join(workdir, 'blobs', 'runtime.cjs')
  copyFileSync(runtime, runtimeBlob)

  const args = options.args ?? [[]]
  const chunk = options.chunk ?? args.length
  const members = Math.ceil(args.length / chunk)
  const spec: JobSpec = {
    protocol: protocolVersion,
    id,
    attempt: 1,
    name: 'test',
    client,
    function: { name: 'main' },
    runtime: { sha256: 'unused', size: 0, ext: 'cjs' },
    bundle: { sha256, size: code.length, ext: 'mjs' },
    map: args.length > 1,
    items: args.length,
    chunk,
    members,
    resources: {},
    environment: {},
    createdAt: '2026-01-01T00:00:00Z',
    farcall: '0.1.0',
  }
  writeFileSync(join(folder, 'spec.json'), JSON.stringify({ ...spec, ...options.spec }))
  const { reference } = options
  const pack = (value: unknown, root: string) => encode(value, { root, ...(reference ? { reference } : {}) })
  writeFileSync(
    join(folder, 'args.pack'),
    encodeTable([
      pack(options.values ?? {}, 'captured'),
      ...args.map((each) =>
        pack({ ...('self' in options ? { self: options.self } : {}), args: each }, 'arguments'),
      ),
    ]),
  )
  const script = renderScript(options.template ?? 'direct.sh.liquid', {
    directives: [],
    id,
    attempt: 1,
    members,
    items: args.length,
    chunk,
    workdir,
    runtime: runtimeBlob,
    client,
    memberVariable: '',
    memberBase: 0,
    restartCount: '0',
    environment: { node: nodeProgram },
    ...options.script,
  })
  writeFileSync(join(folder, 'job.sh'), script)

  const start = (env: NodeJS.ProcessEnv = {}): ChildProcess => {
    const [shell = 'sh', ...flags] = options.shell ?? ['sh']
    return spawn(shell, [...flags, join(folder, 'job.sh')], {
      detached: true,
      env: { ...process.env, ...options.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }
  return {
    workdir,
    folder,
    bundle,
    start,
    run: (env) => finished(start(env)),
    member: (k, attempt = 1) => readMember(workdir, k, attempt),
  }
}

/** A bundle as capture makes one: captured values are in `values`. */
function bundleText({ body = 'return args', top = '' }: JobOptions): string {
  return `
let values
${top}
const known = typeof classes === 'undefined' ? {} : classes
export async function main(...args) {
${body}
}
export const setValues = (decode) => { values = decode() }
export const resolve = (id) => known[id]
export const identify = (value) => Object.keys(known).find((id) => known[id] === value)
export const instantiate = (id) => {
  const object = Object.create(known[id].prototype)
  return { object, fill: (fields) => { Object.assign(object, fields) } }
}
`
}

export async function finished(
  child: ChildProcess,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (data) => {
    stdout += data
  })
  child.stderr?.on('data', (data) => {
    stderr += data
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return { code, stdout, stderr }
}

function readMember(workdir: string, k: number, attempt: number): Member {
  const folder = join(workdir, paths.run(id, attempt, k))
  const text = (name: string) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : ''
  const pack = existsSync(join(folder, 'out.pack')) ? readFileSync(join(folder, 'out.pack')) : Buffer.alloc(0)
  const { records, torn } = decodeRecords(pack)
  const read = (kind: string, index: number) => {
    const record = records.find((each) => each.index === index)
    if (record?.kind !== kind)
      throw new Error(
        `item ${index} has ${record ? `a record of kind ${record.kind}` : 'no record'}: ${JSON.stringify(text('end'))} ${text('log.err')}`,
      )
    return decode(record.bytes)
  }
  return {
    end: text('end') ? JSON.parse(text('end')) : undefined,
    records,
    torn,
    out: text('log.out'),
    err: text('log.err'),
    notice: readNotice(join(workdir, paths.inbox(client)), paths.notice(id, attempt, k)),
    value: (index) => read('value', index),
    error: (index) => read('error', index),
  }
}

function readNotice(inbox: string, name: string): Notice | undefined {
  if (!existsSync(inbox) || !readdirSync(inbox).includes(name)) return undefined
  const bytes = readFileSync(join(inbox, name))
  const newline = bytes.indexOf(10)
  const match = /^farcall-notice (\d+) (\d+)$/.exec(bytes.toString('latin1', 0, newline))
  if (!match) throw new Error(`not a notice: ${bytes}`)
  const [endBytes, recordBytes] = [Number(match[1]), Number(match[2])]
  if (newline + 1 + endBytes + recordBytes !== bytes.length) throw new Error('a notice of another length')
  const end = bytes.toString('utf8', newline + 1, newline + 1 + endBytes)
  if (!end.endsWith('\n')) throw new Error('the end in the notice is no line')
  return { end: JSON.parse(end), records: decodeRecords(bytes.subarray(newline + 1 + endBytes)).records }
}

/** Waits until it gives something. */
export async function until<T>(look: () => T | undefined | false, what: string): Promise<T> {
  const deadline = Date.now() + 45_000
  while (Date.now() < deadline) {
    const found = look()
    if (found) return found
    await sleep(20)
  }
  throw new Error(`waited in vain for ${what}`)
}

/**
 * A time limit that begins to run when the members are under way, however long their start takes: setup lines whose
 * `sleep` waits for the gate. The first one, before a warning, does not.
 */
export function heldLimit(): { readonly setup: string[]; readonly gate: string } {
  const gate = join(temporaryFolder(), 'gate')
  const held = `until [ "$1" = 0 ] || [ -e '${gate}' ]; do command sleep 0.05; done`
  return { setup: [`sleep() { ${held}; command sleep "$1"; }`], gate }
}

/** Whether a process runs; one that its parent has not reaped does not. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat[stat.lastIndexOf(')') + 2] !== 'Z'
  } catch {
    return false
  }
}

/** Processes that sleep for this many seconds. */
export function sleepers(seconds: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && commandLine(pid) === `sleep ${seconds}` && isRunning(pid))
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
  } catch {
    return ''
  }
}
