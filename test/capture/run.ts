import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { type SnapshotOptions, snapshot } from '../../src/capture/snapshot.ts'
import { decode } from '../../src/codec/codec.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-capture-'))
const harness = join(folder, 'harness.mjs')

buildSync({
  entryPoints: [fileURLToPath(new URL('harness.ts', import.meta.url))],
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node16',
  outfile: harness,
})

export interface Ran {
  result?: unknown
  error?: { name: string; message: string; stack: string; code?: string }
  hash: string
  map: string
  code: string
}

/** Captures, bundles, and runs the bundle in a Node process that knows nothing of this one. */
export async function runElsewhere(
  fn: Function,
  site: string,
  args: unknown[],
  options: SnapshotOptions & { self?: unknown } = {},
): Promise<Ran> {
  const shot = snapshot(fn, site, options)
  const call = shot.encode({ self: options.self, args }, 'call')
  const values = shot.values()
  const bundle = await shot.bundle()
  return runBundle(bundle, values, call, shot.classes())
}

let runs = 0

export function runBundle(
  bundle: { hash: string; code: Uint8Array; map: string },
  values: Uint8Array,
  call: Uint8Array,
  classes: ReadonlyMap<string, Function> = new Map(),
): Ran {
  const at = join(folder, `${runs++}`)
  mkdirSync(join(at, 'blobs'), { recursive: true })
  const code = join(at, 'blobs', `${bundle.hash}.mjs`)
  writeFileSync(code, bundle.code)
  writeFileSync(join(at, 'values'), values)
  writeFileSync(join(at, 'call'), call)
  if (createHash('sha256').update(bundle.code).digest('hex') !== bundle.hash) throw new Error('hash')
  const done = spawnSync(process.execPath, [harness, code, join(at, 'values'), join(at, 'call')], {
    cwd: at,
    encoding: 'buffer',
    env: { PATH: process.env['PATH'] },
  })
  if (done.status !== 0) throw new Error(`the harness failed: ${done.stderr}\n${code}`)
  const answer = JSON.parse(done.stdout.toString().trim().split('\n').at(-1)!)
  const text = Buffer.from(bundle.code).toString()
  if (answer.error) return { error: answer.error, hash: bundle.hash, map: bundle.map, code: text }
  const result = decode(Buffer.from(answer.bytes, 'base64'), {
    instantiate: (id) => {
      const type = classes.get(id)
      if (!type) throw new Error(`no class ${id}`)
      const object = Object.create(type.prototype)
      return { object, fill: (fields) => Object.assign(object, fields) }
    },
  })
  return { result, hash: bundle.hash, map: bundle.map, code: text }
}

/** The call site as cluster() would take it, at the line of the caller. */
export function here(): string {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, here)
  return holder.stack!
}
