import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeProject, removeProjects, runProgram } from './project.ts'
import { expectDecorated, expectWrapped, reportOf } from './report.ts'
import { tool } from './tools.ts'

afterAll(removeProjects)

const deno = tool('.bin/deno')
const least = ['read', 'write', 'env', 'sys', 'run', 'ffi'].map((name) => `--allow-${name}`)

/** A program beside the project's own. */
async function runText(text: string, args: readonly string[] = least, files: Record<string, string> = {}) {
  const project = makeProject()
  for (const [name, content] of Object.entries({ 'program.ts': text, ...files }))
    writeFileSync(join(project.folder, name), content)
  const command = ['run', '--no-prompt', ...args, 'program.ts']
  return { project, outcome: await runProgram(deno, command, { cwd: project.folder }) }
}

describe.concurrent('Deno', () => {
  it.each([
    ['TC39 decorators', {}],
    ['legacy decorators', { experimentalDecorators: true }],
  ])(
    'runs there as here with the least permissions, errors at their line: %s',
    async (_, compilerOptions) => {
      const project = makeProject({ compilerOptions, files: { 'deno.json': { compilerOptions } } })
      const command = ['run', '--no-prompt', ...least, 'src/main.ts']
      const report = reportOf(await runProgram(deno, command, { cwd: project.folder }))
      expectWrapped(report, project)
      expectDecorated(report, project)
    },
  )

  it('reads captured variables at the call, whatever becomes of them then', async () => {
    const { outcome } = await runText(`
      import { cluster, close } from 'farcall'
      let k = 5
      const box = { v: 1 }
      const fn = cluster((x: number) => [x, k, box.v])
      const [before, all] = [fn(1), fn.map([2])]
      k = 6
      box.v = 2
      console.log(JSON.stringify([await before, await all, await fn(3)]))
      await close()`)
    expect(outcome).toMatchObject({ code: 0, stdout: '[[1,5,1],[[2,5,1]],[3,6,2]]\n' })
  })

  it('follows npm: and the import map of deno.json', async () => {
    const imports = { farcall: 'npm:farcall', sums: 'npm:lodashish', '@lib/': './' }
    const { outcome } = await runText(
      `
      import { cluster, close } from 'farcall'
      import { sum } from 'sums'
      import { sum as same } from 'npm:lodashish'
      import { double } from '@lib/double.ts'
      const fn = cluster((x: number) => [sum([x, 1]), same([x, 2]), double(x)])
      console.log(JSON.stringify([await fn(1), await fn.local(1)]))
      await close()`,
      least,
      {
        'deno.json': JSON.stringify({ imports }),
        'package.json': JSON.stringify({ name: 'study', dependencies: { farcall: '*', lodashish: '*' } }),
        'double.ts': 'const by: number = 2\nexport const double = (x: number): number => x * by\n',
      },
    )
    expect(outcome).toMatchObject({ code: 0, stdout: '[[2,3,2],[2,3,2]]\n' })
  })

  it('refuses by name what only its own cache has', async () => {
    const { outcome } = await runText(
      `
      import { cluster, close } from 'farcall'
      import { far } from 'far'
      const fn = cluster((x: number) => far(x))
      console.log(JSON.stringify(await fn(1).catch(({ code, message, hint }) => ({ code, message, hint }))))
      await close()`,
      // The import map makes it a file for Deno alone, so that nothing is fetched here.
      [...least, '--import-map=other.json'],
      {
        'other.json': JSON.stringify({ imports: { far: './far.ts' } }),
        'deno.json': JSON.stringify({ imports: { far: 'https://example.com/far.ts' } }),
        'far.ts': 'export const far = (x: number): number => x\n',
      },
    )
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      code: 'CAPTURE_EXTERNAL',
      message: expect.stringContaining("'https://example.com/far.ts' lies in Deno's own cache"),
      hint: expect.stringContaining('npm:'),
    })
  })

  it.each(least)('says that %s is missing', async (missing) => {
    const { outcome } = await runText(
      `
      import { cluster } from 'farcall'
      const k = 2
      await cluster((x: number) => x * k)(1)`,
      least.filter((flag) => flag !== missing),
    )
    expect(outcome.code).not.toBe(0)
    expect(outcome.stderr).toContain(missing)
  })

  it('takes what is typed into the REPL', async () => {
    const { folder } = makeProject()
    const lines = [
      'const { cluster, close } = await import("farcall")',
      'let k = 5, list = [1, 2]',
      'function helper(x) { return x * k + list.length }',
      'class Tally { #n = 1; add(n) { this.#n += n; return this } get n() { return this.#n } }',
      'const tally = new Tally().add(2)',
      'const fn = cluster((x) => helper(x) + tally.n + new Tally().n)',
      'list.push(3)',
      'JSON.stringify([await fn(2), await fn.map([1, 2]), await fn.local(2)])',
      'k = 6',
      'JSON.stringify(["again", await fn(2)])',
      'const given = fn(2); k = 7; (await given.catch((error) => error)).message',
      'await close()',
    ]
    const { stdout } = await runProgram(deno, ['repl', '--allow-all'], {
      cwd: folder,
      stdin: `${lines.join('\n')}\n`,
      env: { NO_COLOR: '1' },
    })
    const answers = stdout.split('\n').filter((line) => line.startsWith('"') || line.startsWith("'"))
    expect(answers[0]).toContain('[17,[12,17],17]')
    expect(answers[1]).toContain('["again",19]')
    expect(answers[2]).toContain(
      "captured 'k': the cell may assign to it (k = 7) before Deno lets it be read",
    )
  })
})
