import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/core/errors.ts'
import { schedulers } from '../../src/scheduler/all.ts'
import { renderScript, type ScriptContext, templateFolder, toScope } from '../../src/scheduler/render.ts'
import { templateNames } from '../../src/scheduler/template-names.ts'

const context: ScriptContext = {
  directives: ['#SBATCH --time=60'],
  id: 'fabcdefghijklm',
  attempt: 1,
  members: 1,
  items: 1,
  chunk: 1,
  workdir: '/scratch/me/it is mine',
  runtime: '/scratch/me/blobs/r.cjs',
  client: 'c',
  memberVariable: '',
  memberBase: 0,
  restartCount: '0',
  environment: {},
}

describe('renderScript', () => {
  it('begins with the interpreter and the directives', () => {
    const lines = renderScript('slurm.sh.liquid', context).split('\n')
    expect(lines.slice(0, 2)).toEqual(['#!/bin/sh', '#SBATCH --time=60'])
    expect(lines).toContain("farcall_workdir='/scratch/me/it is mine'")
  })

  it('is the same for the same context', () => {
    expect(renderScript('direct.sh.liquid', context)).toBe(renderScript('direct.sh.liquid', context))
  })

  it('leaves nothing of the template language behind', () => {
    for (const template of ['slurm.sh.liquid', 'direct.sh.liquid'])
      for (const members of [1, 3]) {
        const environment = { modules: ['m'], setup: ['s'], variables: { A: 'b' }, node: '/n' }
        const full = { ...context, members, environment, cores: 2, memoryBytes: 1e9, timeSeconds: 5 }
        expect(renderScript(template, full)).not.toMatch(/\{\{|\{%|%\}/)
      }
  })

  it('renders a template of the user, which may include ours', () => {
    const path = userTemplate(
      "#!/bin/sh\n# mine for {{ id }}\n{% include 'body.sh.liquid' %}\nfarcall_run_member 0\n",
    )
    const script = renderScript({ path }, context)
    expect(script).toContain('# mine for fabcdefghijklm')
    expect(script).toContain('farcall_run_member() {')
  })

  it.each([
    ['an unknown variable', 'one\n{{ wrokdir }}\n', /user\.sh:2: .*wrokdir/],
    ['one in a condition', 'one\n{% if wrokdir %}x{% endif %}', /user\.sh:2: .*wrokdir\n.*'workdir'/],
    ['one that this job does not come by', '{% if false %}\n{{ tmie }}{% endif %}', /user\.sh:2: .*tmie/],
    ['an unknown filter', '{{ id | shel }}', /user\.sh:1: .*shel/],
    ['an unclosed tag', 'a\nb\n{% if id %}', /user\.sh:3: /],
    ['an include that is not there', "\n{% include 'nobody' %}", /user\.sh:2: .*nobody/],
    ['one in a branch not taken', "{% if false %}{% include 'nobody' %}{% endif %}", /user\.sh: .*nobody/],
    ['nothing to quote', 'x\n\n{{ cores | sh }}', /user\.sh:3: .*nothing to quote/],
  ])('names file and line of %s', (_, text, message) => {
    const path = userTemplate(text)
    const error = thrown(() => renderScript({ path }, context))
    expect(error).toBeInstanceOf(ConfigError)
    expect(error).toMatchObject({ code: 'TEMPLATE_INVALID', message: expect.stringMatching(message) })
  })

  it('takes all that ours take, and names that a template makes itself', () => {
    for (const { template } of schedulers) {
      const text = readFileSync(join(templateFolder, template), 'utf8')
      expect(renderScript({ path: userTemplate(text) }, context)).toBe(renderScript(template, context))
    }
    const own = '{% assign x = 1 %}{{ x }}{% for y in directives %}{{ y }}{{ forloop.index }}{% endfor %}'
    expect(renderScript({ path: userTemplate(own) }, context)).toBe('1#SBATCH --time=601')
  })

  it('has each name in words', () => {
    expect(Object.keys(toScope(context)).sort()).toEqual(Object.keys(templateNames).sort())
  })

  it('names a template that is not there', () => {
    expect(thrown(() => renderScript({ path: '/no/such.liquid' }, context))).toMatchObject({
      code: 'TEMPLATE_INVALID',
      message: expect.stringContaining('/no/such.liquid'),
    })
  })

  it.each([
    ['a directive of two lines', { directives: ['#SBATCH --comment=a\nrm -rf ~'] }],
    ['a variable with an awkward name', { environment: { variables: { 'A=1; B': 'x' } } }],
    ['a NUL in a variable', { environment: { variables: { A: 'x\0y' } } }],
    ['an index variable that is none', { memberVariable: 'X}; rm -rf ~; ${Y' }],
  ])('refuses %s', (_, part) => {
    expect(thrown(() => renderScript('slurm.sh.liquid', { ...context, ...part }))).toMatchObject({
      code: 'VALUE_UNSAFE',
    })
  })
})

function userTemplate(text: string): string {
  const path = join(mkdtempSync(join(process.env['FARCALL_TEST_FOLDER']!, 'farcall-template-')), 'user.sh')
  writeFileSync(path, text)
  return path
}

function thrown(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('it did not throw')
}
