import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { build } from 'esbuild'
import { beforeAll, describe, expect, it } from 'vitest'
import { resolveRetry } from '../../src/core/resolve-retry.ts'
import { makeJob, temporaryFolder } from '../runtime/helpers.ts'
import { type Major, majors, nodeOf } from '../runtime/nodes.ts'

const folder = temporaryFolder()
const program = join(folder, 'program.cjs')
const nodes = new Map<Major, string>()
const leftOut = new Map<Major, string>()
const fileOf = (major: Major) => join(folder, `${major}.pack`)

beforeAll(async () => {
  for (const major of majors)
    try {
      nodes.set(major, await nodeOf(major))
    } catch (error) {
      leftOut.set(major, `it cannot be installed: ${error instanceof Error ? error.message : error}`)
    }
  await build({
    entryPoints: [join(import.meta.dirname, 'majors-program.ts')],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    // As the runtime is built.
    target: 'node16',
    tsconfigRaw: {},
    outfile: program,
  })
  for (const [major, node] of nodes) execFileSync(node, [program, 'write', fileOf(major)])
}, 300_000)

describe.each(majors)('Node %i', (major) => {
  it('reads what each other major wrote, bit for bit', (context) => {
    const node = nodes.get(major) ?? context.skip(leftOut.get(major))
    const files = [...nodes.keys()].map(fileOf)
    const problems: unknown = JSON.parse(
      execFileSync(node, [program, 'read', ...files], { encoding: 'utf8' }),
    )
    expect(problems).toEqual(Object.fromEntries(files.map((file) => [file, []])))
  })

  it('runs a member of a job', async (context) => {
    const node = nodes.get(major) ?? context.skip(leftOut.get(major))
    const job = makeJob({
      top: 'class Point { #secret = 4; constructor(x) { this.x = x } get secret() { return this.#secret } }; const classes = { Point }',
      args: [[new Float64Array([1, -0])], [new Map([[1n, undefined]])], ['throw']],
      body: 'if (args[0] === "throw") throw new RangeError("far", { cause: 1 }); return [args[0], process.versions.node]',
      script: { environment: { node } },
    })
    expect(await job.run()).toEqual({ code: 1, stdout: '', stderr: '' })
    const member = job.member(0)
    expect(member.end).not.toHaveProperty('reason')
    expect(member.value(0)).toEqual([new Float64Array([1, -0]), expect.stringMatching(`^${major}\\.`)])
    expect(member.value(1)).toEqual([new Map([[1n, undefined]]), expect.any(String)])
    expect(member.error(2)).toMatchObject({ name: 'RangeError', message: 'far', cause: 1 })
  })

  it('saves its state at a warning, and begins with it the next time', async (context) => {
    const node = nodes.get(major) ?? context.skip(leftOut.get(major))
    const job = makeJob({
      body: `const { onWarning, lastCheckpoint, checkpoint } = globalThis[Symbol.for('farcall.checkpoints')]
        const last = lastCheckpoint()
        if (last) return [last, process.versions.node]
        checkpoint({ at: new Map([[1n, -0]]) })
        onWarning(() => ({ ...lastCheckpoint(), warned: true }))
        await new Promise((r) => setTimeout(r, 60000))`,
      spec: { resources: { signal: 'USR1@59' }, retry: resolveRetry(1) },
      script: {
        environment: { node },
        timeSeconds: 60,
        warning: { name: 'USR1', seconds: 59 },
        restartCount: '${RESTARTS:-0}',
      },
    })
    await job.run()
    expect(job.member(0).end).toMatchObject({ reason: 'timeout', requeue: true })
    // As a scheduler starts it again.
    await job.run({ RESTARTS: '1' })
    const state = { at: new Map([[1n, -0]]), warned: true }
    expect(job.member(0, 2).value(0)).toEqual([state, expect.stringMatching(`^${major}\\.`)])
  })
})
