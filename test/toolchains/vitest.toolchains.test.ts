import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeProject, type Project, removeProjects, runProgram } from './project.ts'
import { expectDecorated, expectWrapped, type Report } from './report.ts'
import { node, type Version, versions } from './tools.ts'

afterAll(removeProjects)

const config = (plugins: string) => `import { farcall } from 'farcall/vite'
import { defineConfig } from 'vitest/config'

export default defineConfig({ plugins: [${plugins}], test: { include: ['src/*.spec.ts'], testTimeout: 60_000 } })
`

async function runVitest(project: Project, version: Version, args: string[], spec = 'main.spec.ts') {
  const report = join(project.folder, `report-${version}-${args.join('')}.json`)
  const outcome = await runProgram(
    node(version),
    ['../node_modules/vitest/vitest.mjs', 'run', spec, ...args],
    { cwd: project.folder, env: { REPORT: report, NO_COLOR: '1' } },
  )
  const read = (): Report => {
    if (outcome.code !== 0) throw new Error(outcome.stdout + outcome.stderr)
    return JSON.parse(readFileSync(report, 'utf8'))
  }
  return { outcome, read }
}

const pools = ['forks', 'threads', 'vmThreads', 'vmForks']

describe.concurrent.each(pools)('vitest, pool %s', (pool) => {
  it.each(versions)(
    'runs there as here on Node %s, errors at their line, with legacy decorators',
    async (version) => {
      const project = makeProject({
        compilerOptions: { experimentalDecorators: true },
        files: { 'vitest.config.ts': config('') },
      })
      const { read } = await runVitest(project, version, [`--pool=${pool}`])
      expectWrapped(read(), project)
      expectDecorated(read(), project)
    },
  )
})

describe.concurrent('the plugin farcall/vite', () => {
  it.each(['forks', 'vmThreads'])(
    'lets vitest take TC39 decorators, errors at their line (%s)',
    async (pool) => {
      const project = makeProject({ files: { 'vitest.config.ts': config('farcall()') } })
      const { read } = await runVitest(project, '22', [`--pool=${pool}`])
      expectWrapped(read(), project)
      expectDecorated(read(), project)
    },
  )

  it('follows the tsconfig.json that asks for legacy decorators', async () => {
    const project = makeProject({
      compilerOptions: { experimentalDecorators: true },
      files: { 'vitest.config.ts': config('farcall()') },
    })
    const { read } = await runVitest(project, '22', [])
    expectDecorated(read(), project)
  })

  it('is what makes them work: vitest alone does not compile them', async () => {
    const project = makeProject({ files: { 'vitest.config.ts': config('') } })
    const { outcome } = await runVitest(project, '22', [])
    expect(outcome.code).not.toBe(0)
    expect(outcome.stderr).toMatch(/SyntaxError/)
  })
})
