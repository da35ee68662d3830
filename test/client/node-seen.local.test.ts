import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-node-seen-'))
const cache = join(folder, 'cache')
const before = process.env['FARCALL_CACHE_DIR']
const major = Number.parseInt(process.versions.node, 10)

beforeAll(() => {
  process.env['FARCALL_CACHE_DIR'] = cache
  const direct = { scheduler: 'direct', queryInterval: '1s', keep: 'all' } as const
  configure({
    profiles: {
      here: { ...direct, workdir: `${folder}/here` },
      // what a job sets up may change PATH: it is not known which Node it starts
      there: { ...direct, workdir: `${folder}/there`, environment: { setup: ['true'] } },
    },
    defaultProfile: 'there',
  })
})
afterAll(async () => {
  await close()
  if (before === undefined) delete process.env['FARCALL_CACHE_DIR']
  else process.env['FARCALL_CACHE_DIR'] = before
  removeFolder(folder)
})

const compiledFor = (profile: string, id: string) =>
  JSON.parse(readFileSync(join(folder, profile, 'jobs', id, 'spec.json'), 'utf8')).compiledFor

// a Node before 25 cannot read `using`; esbuild compiles it away for those
const disposing = cluster((x: number) => {
  const done: number[] = []
  {
    using _ = { [Symbol.dispose ?? Symbol.for('Symbol.dispose')]: () => done.push(x) } as Disposable
  }
  return done
})

it('compiles for the Node that jobs of the place ran on, and corrects itself', async () => {
  const first = disposing(1)
  expect(await first).toEqual([1])
  expect(compiledFor('there', first.id)).toBe(16)
  // a result may be here before its end is
  const [name] = await vi.waitFor(() => readdirSync(join(cache, 'nodes')), 20_000)
  const seen = join(cache, 'nodes', name!)
  await vi.waitFor(() => expect(readdirSync(seen)).toEqual([String(major)]), 20_000)
  const second = disposing(2)
  expect(await second).toEqual([2])
  expect(compiledFor('there', second.id)).toBe(major)

  if (major >= 25) return
  // the place's Node was replaced by an older one
  writeFileSync(join(seen, '99'), '')
  const error = await vi.waitFor(async () => {
    // the end of the last call may be noted only now
    rmSync(join(seen, String(major)), { force: true })
    return disposing(3).then(
      () => Promise.reject(new Error('it was compiled for this Node')),
      (e: unknown) => e,
    )
  }, 30_000)
  expect(error).toMatchObject({ code: 'JOB_FAILED' })
  expect((error as Error).message).toContain(
    `Node is ${process.version} on ${hostname()}, and the function was compiled for Node 99, the oldest seen here so far (`,
  )
  await vi.waitFor(() => expect(readdirSync(seen).sort()).toEqual([String(major), '99']), 20_000)
  expect(await disposing(4)).toEqual([4])
})

it('compiles for the Node of this process where that is the one on PATH', async () => {
  const job = disposing.with({ profile: 'here' })(5)
  expect(await job).toEqual([5])
  expect(compiledFor('here', job.id)).toBe(major)
})
