import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { type SnapshotOptions, snapshot } from '../../src/capture/snapshot.ts'
import { decode } from '../../src/codec/codec.ts'

export const folder = mkdtempSync(
  join(
    process.env['FARCALL_TEST_FOLDER'] ? ensure(process.env['FARCALL_TEST_FOLDER']) : tmpdir(),
    'capture-',
  ),
)
const harness = join(folder, 'harness.mjs')

function ensure(path: string): string {
  mkdirSync(path, { recursive: true })
  return path
}

buildSync({
  entryPoints: [fileURLToPath(new URL('harness.ts', import.meta.url))],
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  outfile: harness,
})

export interface Answer {
  bytes?: string
  json?: string
  error?: { name: string; message: string; stack: string; code?: string }
}

/** Runs bundles in a Node process that knows nothing of this one. */
export function runTasks(
  tasks: { code: string; values: string; call: string }[],
  node = process.execPath,
): Answer[] {
  const list = join(folder, `tasks-${runs++}.json`)
  writeFileSync(list, JSON.stringify(tasks))
  const done = spawnSync(node, [harness, list], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
    maxBuffer: 1 << 28,
  })
  if (done.status !== 0) throw new Error(`the harness failed: ${done.stderr}${done.stdout}`)
  return JSON.parse(done.stdout.trim().split('\n').at(-1)!)
}

let runs = 0

export interface Ran {
  result?: unknown
  error?: Answer['error']
  hash: string
  map: string
  code: string
}

/** Captures, bundles, runs elsewhere, and decodes what came out. */
export async function runElsewhere(
  fn: Function,
  site: string,
  args: unknown[],
  options: SnapshotOptions & { self?: unknown; between?: () => void } = {},
): Promise<Ran> {
  const shot = snapshot(fn, site, options)
  const call = shot.encode({ self: options.self, args }, 'call')
  const values = shot.values()
  options.between?.()
  const bundle = await shot.bundle()
  const at = join(folder, `${runs++}`)
  mkdirSync(at)
  const paths = { code: join(at, `${bundle.hash}.mjs`), values: join(at, 'values'), call: join(at, 'call') }
  writeFileSync(paths.code, bundle.code)
  writeFileSync(paths.values, values)
  writeFileSync(paths.call, call)
  if (createHash('sha256').update(bundle.code).digest('hex') !== bundle.hash) throw new Error('hash')
  const [answer] = runTasks([paths])
  const ran = { hash: bundle.hash, map: bundle.map, code: Buffer.from(bundle.code).toString() }
  if (answer?.error) return { ...ran, error: answer.error }
  const classes = shot.classes()
  const result = decode(Buffer.from(answer!.bytes!, 'base64'), {
    instantiate: (id) => {
      const type = classes.get(id)
      if (!type) throw new Error(`no class ${id}`)
      const object = Object.create(type.prototype) as object
      return { object, fill: (fields) => Object.assign(object, fields) }
    },
  })
  return { ...ran, result }
}

/** The call site as cluster() would take it, at the line of the caller. */
export function here(): string {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, here)
  return holder.stack!
}
