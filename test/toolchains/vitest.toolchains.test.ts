import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeProject, type Project, removeProjects, runProgram } from './project.ts'
import { expectDecorated, expectWrapped, type Report } from './report.ts'
import { node, tool, type Version, versions } from './tools.ts'

afterAll(removeProjects)

const config = (plugins: string) => `import { farcall } from 'farcall/vite'
import { defineConfig } from 'vitest/config'

export default defineConfig({ plugins: [${plugins}], test: { include: ['src/*.spec.ts'], testTimeout: 60_000 } })
`

/** vitest 5 beside the project, where it is found before the repository's own. */
function useVitest5(project: Project): string {
  const modules = join(project.folder, 'node_modules')
  mkdirSync(modules, { recursive: true })
  symlinkSync(tool('vitest'), join(modules, 'vitest'))
  return 'node_modules/vitest/vitest.mjs'
}

async function runVitest(
  project: Project,
  version: Version,
  args: string[],
  entry = '../node_modules/vitest/vitest.mjs',
) {
  const report = join(project.folder, `report-${version}-${args.join('')}.json`)
  const outcome = await runProgram(node(version), [entry, 'run', 'main.spec.ts', ...args], {
    cwd: project.folder,
    env: { REPORT: report, NO_COLOR: '1' },
  })
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

// vitest 5 itself needs Node 22.12
describe.concurrent.each(['22', '24'] as const)('vitest 5 on Node %s', (version) => {
  it.each(['forks', 'vmThreads'])('runs there as here with legacy decorators, pool %s', async (pool) => {
    const project = makeProject({
      compilerOptions: { experimentalDecorators: true },
      files: { 'vitest.config.ts': config('') },
    })
    const { read } = await runVitest(project, version, [`--pool=${pool}`], useVitest5(project))
    expectWrapped(read(), project)
    expectDecorated(read(), project)
  })

  it('takes TC39 decorators with the plugin', async () => {
    const project = makeProject({ files: { 'vitest.config.ts': config('farcall()') } })
    const { read, outcome } = await runVitest(project, version, [], useVitest5(project))
    expectWrapped(read(), project)
    expect(outcome.stdout).toMatch(/ v5\.\d+\.\d+ /)
    expectDecorated(read(), project)
  })
})
