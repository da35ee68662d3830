import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeProject, removeProjects } from './project.ts'
import { node, versions } from './tools.ts'

afterAll(removeProjects)

/** Types each line when the prompt is there, as somebody would; gives what was printed after each. */
function converse(command: string, cwd: string, lines: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'], XDG_CACHE_HOME: join(cwd, 'cache'), NODE_REPL_HISTORY: '' }
    const child = spawn(command, ['-i'], { cwd, env })
    const answers: string[] = []
    let printed = ''
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text
      const prompt = /(?:^|\n)(?:> |\.\.\. ?|\| ?)$/.exec(printed)
      if (!prompt) return
      answers.push(printed.slice(0, prompt.index))
      printed = ''
      const line = lines[answers.length - 1]
      if (line === undefined) child.stdin.end()
      else child.stdin.write(`${line}\n`)
    })
    child.on('error', reject)
    // The first answer is the greeting.
    child.on('close', (code) =>
      code === 0 ? resolve(answers.slice(1)) : reject(new Error(answers.join('\n') + errors)),
    )
  })
}

const session = [
  'const { cluster, close } = await import("farcall")',
  'const k = 5, list = [1, 2]',
  'function helper(x) {',
  '  return x * k + list.length',
  '}',
  'class Tally { #n = 1; add(n) { this.#n += n; return this } get n() { return this.#n } }',
  'const tally = new Tally().add(2)',
  'const fn = cluster((x) => helper(x) + tally.n + new Tally().n)',
  'list.push(3)',
  'JSON.stringify([await fn(2), await fn.map([1, 2]), await fn.local(2)])',
  'const bad = cluster((x) => { throw new RangeError("no " + x) })',
  '(await bad(1).catch((e) => e)).stack.split("\\n").slice(0, 2).join()',
  'await close()',
]

describe.concurrent('the REPL', () => {
  it.each(versions)('runs there what was typed here, and names its line (Node %s)', async (version) => {
    const { folder } = makeProject()
    const answers = await converse(node(version), folder, session)
    const answerTo = (line: string) => answers[session.findIndex((typed) => typed.startsWith(line))]
    expect(answerTo('JSON')).toBe("'[17,[12,17],17]'")
    const { length } = 'const bad = cluster((x) => { throw '
    expect(answerTo('(await bad')).toMatch(
      new RegExp(`^'RangeError: no 1,\\s+at .*REPL\\d+.*:1:${length + 1}\\)?'$`),
    )
  })
})
