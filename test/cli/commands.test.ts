import { readdirSync } from 'node:fs'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { resourceOptions, resourcesOf } from '../../src/cli/resource-options.ts'
import { resourceNames } from '../../src/core/resources.ts'

test('there is one file for each command, and each is in the help', () => {
  const files = readdirSync(new URL('../../src/cli/commands', import.meta.url)).map((name) =>
    name.slice(0, -3),
  )
  expect(commands.map(({ name }) => name).sort()).toEqual(files.sort())
})

test.each(commands)('$name loads, and --help has examples', async ({ name, load }) => {
  const command = await load(() => {})
  expect(command.name()).toBe(name)
  for (const one of command.commands.length > 0 ? command.commands : [command]) {
    const written: string[] = []
    one.configureOutput({ writeOut: (text) => void written.push(text) }).outputHelp()
    expect(written.join('')).toMatch(/Examples?:\n {2}/)
  }
})

const parse = (...argv: string[]) => {
  const command = resourceOptions(new Command('submit'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  return resourcesOf(command.parse(argv, { from: 'user' }).opts())
}

test('every resource has an option, read as the resource is', () => {
  const { options } = resourceOptions(new Command('submit'))
  const names = options.filter(({ negate }) => !negate).map((option) => option.attributeName())
  expect(names).toEqual(resourceNames)
  expect(parse()).toEqual({})
  expect(
    parse(
      '--cores',
      '4',
      '--memory',
      '16GB',
      '--time',
      '90',
      '--gpus',
      'a100:2',
      '--tasks-per-node',
      '2',
      '--no-requeue',
    ),
  ).toEqual({ cores: 4, memory: '16GB', time: 90, gpus: 'a100:2', tasksPerNode: 2, requeue: false })
  expect(
    parse('--exclude', 'n1', '--exclude', 'n2', '--native=--a=1', '--exclusive', '--priority=-5'),
  ).toEqual({
    exclude: ['n1', 'n2'],
    native: ['--a=1'],
    exclusive: true,
    priority: -5,
  })
})

test('a value that it cannot have is refused by the option', () => {
  expect(() => parse('--cores', 'many')).toThrow('--cores: "many" is not a whole number of at least 1')
  expect(() => parse('--memory', '16 apples')).toThrow('--memory: "16 apples" is not a memory size')
})
