import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type App, execute, install, link, pack, root } from './packed.ts'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const study = `import { cluster } from 'farcall'

class Study {
  @cluster({ time: '1m' })
  static async square(n: number): Promise<{ value: number; pid: number }> {
    return { value: n * n, pid: process.pid }
  }
}
const offset: number = 2
const add = cluster((n: number) => n + offset)
const { value, pid } = await Study.square(6)
console.log(JSON.stringify({ value, elsewhere: pid !== process.pid, sum: await add(40), map: await add.map([1, 2]) }))
`
const expected = { value: 36, elsewhere: true, sum: 42, map: [3, 4] }

const module = `import { cluster } from 'farcall'

const offset = 2
const add = cluster((n) => n + offset)
console.log(await add(40))
`
const commonJs = `const { cluster } = require('farcall')

const offset = 2
const add = cluster((n) => n + offset)
add(40).then(console.log)
`
const suite = `import { MemoryExecutor } from 'farcall/testing'
import { executorSuite } from 'farcall/testing/suites'

executorSuite('memory', async () => new MemoryExecutor())
`

const simulated = `import { close, cluster, configure } from 'farcall'
import { simulateScheduler } from 'farcall/testing'

const slurm = await simulateScheduler('slurm')
configure({ profiles: { test: { scheduler: slurm.kind, queryInterval: '1s' } } })
const where = cluster({ profile: 'test', time: '1m' }, (n) => [n, process.env.SLURM_ARRAY_TASK_ID])
console.log(JSON.stringify(await where.map([1, 2], { chunk: 1 })))
await close()
await slurm.close()
`

describe('in an empty folder, after npm install', () => {
  let app: App

  beforeAll(async () => {
    app = await install(await pack())
    const files = {
      'study.ts': study,
      'study.mjs': module,
      'study.cjs': commonJs,
      'suite.test.mjs': suite,
      'simulated.mjs': simulated,
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(app.folder, name), text)
  })
  afterAll(() => app?.remove())

  it('farcall run runs a TypeScript program, and its jobs', async () => {
    const { code, stdout, stderr } = await app.farcall('run', 'study.ts')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual(expected)
  })

  it('an ES module needs node alone', async () => {
    expect(await app.node('study.mjs')).toEqual({ code: 0, stdout: '42\n', stderr: '' })
  })

  it('a CommonJS program gets farcall by require', async () => {
    expect(await app.node('study.cjs')).toEqual({ code: 0, stdout: '42\n', stderr: '' })
  })

  it('the command tells its version and what it can do', async () => {
    expect(await app.farcall('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    const { code, stdout } = await app.farcall('--help')
    expect(code).toBe(0)
    expect(stdout).toContain('farcall run study.ts')
  })

  it('npm finds nothing missing or superfluous', async () => {
    const { code, stderr } = await execute('npm', ['ls', '--all'], app.folder)
    expect({ code, errors: stderr.match(/npm error.*/g) }).toEqual({ code: 0, errors: null })
  })

  it('farcall/testing brings up a simulated scheduler, and needs no vitest', async () => {
    expect(existsSync(join(app.folder, 'node_modules/vitest'))).toBe(false)
    expect(await app.node('simulated.mjs')).toEqual({ code: 0, stdout: '[[1,"0"],[2,"1"]]\n', stderr: '' })
  })

  it('farcall/testing/suites runs under the vitest of the project', async () => {
    link('vitest', app.folder)
    const { code, stdout, stderr } = await app.node('node_modules/vitest/vitest.mjs', 'run', '--root', '.')
    expect(stdout + stderr).toMatch(/Tests +\d+ passed/)
    expect(code).toBe(0)
  })
})

it('works without the install scripts of its dependencies', async () => {
  const app = await install(await pack(), ['--ignore-scripts'])
  try {
    writeFileSync(join(app.folder, 'study.ts'), study)
    const { code, stdout, stderr } = await app.farcall('run', 'study.ts')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual(expected)
  } finally {
    app.remove()
  }
})
