import { expect, test } from 'vitest'
import { builtPackage } from './built.ts'

const { write, farcall } = builtPackage()

const study = `import { cluster } from 'farcall'
console.log('the program ran')
let total = 0
const step = 2
export class Study {
  @cluster() static async simulate(seed: number) { return seed * step }
}
export const add = () => cluster((n: number) => { let inner = n; return () => { inner += total } })
function outer() { let count = 0; return [() => count, cluster(() => { count++ })] }
void outer
`

test('explain tells of each function whether it can travel, as tables, and runs nothing', async () => {
  write({ 'study.ts': study })
  const { stdout, stderr, code } = await farcall(['explain', 'study.ts', '--node', '18'])
  expect(code).toBe(1)
  expect(stdout).toMatch(/^Study\.simulate \(decorator, study\.ts:6:3\): can travel$/m)
  expect(stdout).toMatch(/│ constant\s+│ step\s+│ source\s+│ study\.ts:4:7 /)
  expect(stdout).toMatch(/^\(anonymous\) \(wrapper, study\.ts:9:56\): REFUSED$/m)
  expect(stdout).toContain("study.ts:9:72 the function assigns to 'count' outside of it")
  expect(stdout).toContain('hint: return the value, and assign it here')
  expect(stdout).not.toContain('the program ran')
  expect(stderr).toBe('Read from the text, for Node 18: nothing was run, so values were not looked at.\n')
})

test('explain --function picks one, and the exit code is then about that one', async () => {
  write({ 'study.ts': study })
  const { stdout, code } = await farcall([
    'explain',
    'study.ts',
    '--function',
    'simulate',
    '--json',
    '--bundle',
  ])
  expect(code).toBe(0)
  const { functions } = JSON.parse(stdout)
  expect(functions).toHaveLength(1)
  expect(functions[0]).toMatchObject({
    name: 'Study.simulate',
    form: 'decorator',
    refusals: [],
    externals: [],
  })
  expect(functions[0].bundle.bytes).toBeGreaterThan(100)
  expect((await farcall(['explain', 'study.ts', '--function', 'simulat'])).stderr).toContain('did you mean')
})

test('without --node it is the one that jobs of the profile run on, as far as that is known', async () => {
  write({
    'farcall.config.json': '{"profiles":{"far":{"scheduler":"slurm","host":"login.hpc.edu"}}}',
    'fetch.ts': `import { cluster } from 'farcall'\nexport const get = cluster(() => fetch('https://a.b'))`,
  })
  const far = await farcall(['explain', 'fetch.ts', '--profile', 'far'])
  expect(far.stderr).toContain('for Node 16')
  expect(far.stdout).toContain('fetch needs Node 18 or newer')
  const none = await farcall(['explain', 'fetch.ts', '--profile', 'farr'])
  expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining("did you mean 'far'?") })
})

test('a file that marks nothing is no failure', async () => {
  write({ 'nothing.ts': 'export const a = 1' })
  const { stdout, stderr, code } = await farcall(['explain', 'nothing.ts'])
  expect({ stdout, code }).toEqual({ stdout: '', code: 0 })
  expect(stderr).toContain('no function is marked with cluster')
})

test.each([
  [['explain', 'none.ts'], 2, 'there is no such file'],
  [['explain', 'study.ts', '--node', 'lts'], 2, "'lts' is not a version of Node"],
  [['explain'], 2, "missing required argument 'what'"],
])('%j is told with the way out', async (args, expected, words) => {
  write({ 'study.ts': study })
  const { stderr, code } = await farcall(args)
  expect(code).toBe(expected)
  expect(stderr).toContain(words)
})

test('what the profile says of packages counts, and an installed one is no failure', async () => {
  write({
    'farcall.config.json':
      '{"profiles":{"far":{"scheduler":"slurm","environment":{"packages":{"tiny":"install","libsql":"bundle"}}}}}',
    'node_modules/tiny/package.json': '{"name":"tiny","version":"1.0.0","type":"module","main":"index.js"}',
    'node_modules/tiny/index.js': 'export const tiny = 1',
    'tar.ts': `import { cluster } from 'farcall'\nimport { tiny } from 'tiny'\nexport const tar = cluster(() => tiny)`,
  })
  const { stdout, code } = await farcall(['explain', 'tar.ts', '--profile', 'far', '--json'])
  expect(code).toBe(0)
  const [{ externals }] = JSON.parse(stdout).functions
  expect(externals).toMatchObject([{ name: 'tiny', why: 'the settings say so' }])
  const plain = await farcall(['explain', 'tar.ts', '--node', '20', '--json'])
  expect(JSON.parse(plain.stdout).functions[0].externals).toEqual([])
})

const sweep = `import { cluster } from 'farcall'
import { mean } from 'stats'
export class Study {
  @cluster({ parallel: 'auto' }) static async sweep(xs: number[][]) {
    const out: number[] = []
    for (const x of xs) out.push(mean(x))
    let total = 0
    for (const x of out) {
      total += x
      if (total > 9) console.log(x)
    }
    return out
  }
}
`

test('explain gives the verdict on each loop, with the line that keeps it as it is', async () => {
  write({ 'sweep.ts': sweep, 'node_modules/stats/index.js': 'export const mean = (x) => x[0]' })
  const { stdout } = await farcall(['explain', 'sweep.ts'])
  expect(stdout).toContain(`  Loops, with parallel: 'auto':
    sweep.ts:6:5 for…of: split into tasks
      'mean' of stats is taken to be pure
      'strict' leaves it as it is: calls 'mean' of stats, which is not proven pure
    sweep.ts:8:5 for…of: left as it is: reads 'total' while the loop writes it (sweep.ts:10:11)
`)
  const { functions } = JSON.parse((await farcall(['explain', 'sweep.ts', '--json'])).stdout)
  expect(functions[0].loops).toMatchObject([
    { at: { line: 6, column: 5 }, form: 'for…of', split: true, strict: { because: { line: 6 } } },
    { at: { line: 8 }, split: false, because: { line: 10, column: 11 } },
  ])
})
