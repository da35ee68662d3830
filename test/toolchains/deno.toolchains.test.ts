import { afterAll, describe, it } from 'vitest'
import { makeProject, removeProjects, runProgram } from './project.ts'
import { expectDecorated, expectWrapped, reportOf } from './report.ts'
import { tool } from './tools.ts'

afterAll(removeProjects)

const deno = tool('@deno/linux-x64-glibc/deno')

describe.concurrent('Deno', () => {
  it.each([
    ['TC39 decorators', {}],
    ['legacy decorators', { experimentalDecorators: true }],
  ])('runs there as here, errors at their line: %s', async (_, compilerOptions) => {
    const project = makeProject({ compilerOptions, files: { 'deno.json': { compilerOptions } } })
    const report = reportOf(
      await runProgram(deno, ['run', '--allow-all', 'src/main.ts'], { cwd: project.folder }),
    )
    expectWrapped(report, project)
    expectDecorated(report, project)
  })
})
