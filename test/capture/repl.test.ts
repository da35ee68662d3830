import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { expect, it } from 'vitest'
import { decode } from '../../src/codec/codec.ts'
import { folder, runTasks } from './run.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

// types lines into a REPL one after the other, as somebody would, and prints what the last one gives
const session = `
import repl from 'node:repl'
import { PassThrough } from 'node:stream'
const [library, useGlobal] = process.argv.slice(2)
const { snapshot } = await import(library)
const input = new PassThrough()
const output = new PassThrough()
const server = repl.start({ input, output, prompt: '', terminal: false, useGlobal: useGlobal === 'global' })
const done = new Promise((resolve, reject) => Object.assign(server.context, { snapshot, resolve, reject }))
input.write(['const k = 5, list = [1, 2]', 'function helper(x) { return x * k + list.length }', 'const fn = (x) => helper(x) + k',
  'var shot, call, values',
  'try { shot = snapshot(fn, new Error().stack); call = shot.encode({ args: [2] }, "call"); values = shot.values() } catch (e) { reject(e) }',
  'shot.bundle().then((b) => resolve({ code: b.code, call, values }), reject)', ''].join('\\n'))
const made = await done
console.log(JSON.stringify(Object.fromEntries(Object.entries(made).map(([k, v]) => [k, Buffer.from(v).toString('base64')]))))
process.exit()
`

it.each(['context', 'global'])(
  'a function typed into the REPL takes what other lines defined along (%s)',
  (kind) => {
    const library = join(repository, 'node_modules/.farcall-test', `capture-repl-${process.pid}.mjs`)
    buildSync({
      entryPoints: [join(repository, 'src/capture/snapshot.ts')],
      bundle: true,
      packages: 'external',
      format: 'esm',
      platform: 'node',
      outfile: library,
    })
    const script = join(folder, `repl-${kind}.mjs`)
    writeFileSync(script, session)
    const done = spawnSync(process.execPath, [script, library, kind], { encoding: 'utf8', timeout: 60_000 })
    rmSync(library)
    expect(done.stderr).toBe('')
    const made = JSON.parse(done.stdout.trim().split('\n').at(-1)!) as Record<string, string>
    const task = { code: '', values: '', call: '' }
    for (const name of ['code', 'values', 'call'] as const) {
      task[name] = join(folder, `repl-${kind}.${name}.mjs`)
      writeFileSync(task[name], Buffer.from(made[name]!, 'base64'))
    }
    const [answer] = runTasks([task])
    expect(answer!.error?.stack).toBeUndefined()
    expect(decode(Buffer.from(answer!.bytes!, 'base64'))).toBe(2 * 5 + 2 + 5)
  },
)
