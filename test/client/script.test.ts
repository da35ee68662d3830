import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  renderJobScriptFile,
  type ScriptVariables,
  variableIn,
} from '../../src/client/command/script-template.ts'
import { withDirectives } from '../../src/client/options/script-directives.ts'
import type { Settings } from '../../src/client/options/settings.ts'
import { type ClusterOptions, localFile, type Resources, script } from '../../src/index.ts'
import { directivesIn } from '../../src/scheduler/script-directives.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-script-'))
afterAll(() => removeFolder(folder))

describe('variables', () => {
  const render = (text: string, variables?: ScriptVariables) => {
    const file = join(folder, 'job.sh')
    writeFileSync(file, text)
    return renderJobScriptFile(file, variables)
  }
  const refused = (text: string, variables?: unknown) => () => render(text, variables as ScriptVariables)

  test('stand where their names stood, quoted where that is asked for', () => {
    expect(
      render('echo {{ seed }} {{ file | sh }} {{ all | sh }}', { seed: 4, file: "it's", all: ['a b', 1] }),
    ).toBe(`echo 4 'it'\\''s' 'a b' 1`)
    expect(
      render('{% for x in xs %}{{ x }};{% endfor %}{% if quick %}q{% endif %}', { xs: [1, 2], quick: true }),
    ).toBe('1;2;q')
    expect(render('{% if quick %}q{% endif %}done', {})).toBe('done')
  })

  test('none: the script stays as it is', () => {
    const text = '#!/bin/bash\necho ${#a[@]} ${x%%{*} "{{.Names}}" {% if %}\nawk \'{{print $1}}\'\n'
    expect(render(text.replace("awk '{{print $1}}'", 'awk "{ {print} }"'))).toContain(
      '${#a[@]} ${x%%{*} "{{.Names}}"',
    )
    expect(refused('a\nb {{ seed }}')).toThrow(
      /^job\.sh:2: {{ seed }} stands in it, and no variables were given\n {2}hint: script\('job\.sh', { seed: … }\)/,
    )
  })

  test('raw: what looks like a variable stays, too', () => {
    const text = '#!/bin/sh\necho {{ seed }} {% if %}\n'
    const file = join(folder, 'raw.sh')
    writeFileSync(file, text)
    expect(renderJobScriptFile(file, undefined, { raw: true })).toBe(text)
    expect(variableIn(text)).toEqual({ line: 2, text: '{{ seed }}', name: 'seed' })
    expect(variableIn('echo "{{.Names}}"')).toBeUndefined()
    expect(() => script(file, { seed: 1 }, { raw: true })).toThrow('raw and variables do not go together')
    expect(() => script(file, undefined, { args: ['a', {}] as never })).toThrow(
      'script: args[1]: expected text',
    )
    expect(() => script(file, undefined, { args: 'a' as never })).toThrow('script: args: expected a list')
  })

  test('one that is missing, misspelt or superfluous is an error with line and name', () => {
    expect(refused('a\nb {{ seed }}', {})).toThrow(
      /job\.sh:2: undefined variable: seed\n {2}hint: give it a value: { seed: … }$/,
    )
    expect(refused('a {{ seed }}', { seed: 1, sede: 2 })).toThrow(
      "job.sh: it has no variable sede\n  hint: did you mean 'seed'?",
    )
    expect(refused('a', { seed: 1 })).toThrow('it has no variable seed')
    expect(refused('a {{ b | nofilter }}', { b: 1 })).toThrow(/job\.sh:1: undefined filter: nofilter/)
    expect(refused('a\n{% if x %}', {})).toThrow(/job\.sh:2: .*not closed/)
  })

  test('what cannot stand in a script is refused', () => {
    const value = (x: unknown) => refused('{{ x }}', { x })
    expect(value(undefined)).toThrow('variables.x: expected text, a number')
    expect(value(Promise.resolve(1))).toThrow('a job or a promise: await it first')
    expect(value(new Date(0))).toThrow('variables.x: expected')
    expect(value([{ y: () => 1 }])).toThrow('variables.x.0.y: expected')
    expect(value(localFile('a.txt'))).toThrow('localFile() and remoteFile() cannot stand in a script')
    expect(refused('a\r\nb', undefined)).toThrow('job.sh:1: it has Windows line ends')
    expect(() => renderJobScriptFile(join(folder, 'none.sh'), undefined)).toThrow('none.sh')
  })
})

describe('directives', () => {
  const warnings: string[] = []
  const ask = (text: string, options: ClusterOptions = {}, resources: Resources = {}) => {
    warnings.length = 0
    const settings = { name: 'hpc', profile: { resources } } as Settings
    const executor = { name: 'slurm on hpc', directivesIn: (script: string) => directivesIn('slurm', script) }
    return withDirectives({ settings, options }, { name: 'job.sh', text }, executor, (words) =>
      warnings.push(words),
    )
  }

  test('stand for themselves, over what the profile says', () => {
    const { settings, options } = ask(
      '#!/bin/sh\n#SBATCH -t 10 -p long --switches=1\n',
      { cores: 2, native: ['--hold'] },
      { time: '1h', queue: 'short', account: 'a' },
    )
    expect(options).toEqual({ cores: 2, native: ['-t 10', '-p long', '--switches=1', '--hold'] })
    expect(settings.profile.resources).toEqual({ account: 'a' })
  })

  test("its name is the job's", () => {
    expect(ask('#SBATCH -J "my job" -c 2\n').options).toEqual({ name: 'my job', native: ['-c 2'] })
  })

  test('one that an option says as well is an error', () => {
    expect(() => ask('#!/bin/sh\n\n#SBATCH --time=10\n', { time: '1h' })).toThrow(
      'job.sh:3: #SBATCH --time=10: the option time of the call says it, too\n  hint: remove one of the two',
    )
    expect(() => ask('#SBATCH -p long\n', { queue: 'short' })).toThrow(
      'the option queue of the call says it, too',
    )
    expect(() => ask('#SBATCH -D /a\n', { environment: { cwd: '/b' } })).toThrow(
      'and so does environment.cwd',
    )
  })

  test('what has a meaning here already is left out, or refused with the way out', () => {
    expect(ask('#SBATCH -o out.%j --mem=1G\n').options).toEqual({ native: ['--mem=1G'] })
    expect(warnings).toEqual([
      'job.sh:1: #SBATCH -o out.%j: left out; what it prints is in job.logs(), stdout and stderr apart',
    ])
    expect(ask('#SBATCH -D /data\n').options).toEqual({ environment: { cwd: '/data' } })
    expect(() => ask('#SBATCH --array=1-9\n')).toThrow('call script() for each')
    expect(() => ask('#SBATCH --wait\n')).toThrow('for whoever submits by hand')
  })
})
