import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { otherVariables, profileVariables } from '../../src/config/environment.ts'
import { resolveProfile } from '../../src/config/profile.ts'
import {
  configSchema,
  environmentSchema,
  partialProfileSchema,
  resourcesShape,
} from '../../src/config/schema.ts'
import { errorCodes } from '../../src/core/error-codes.ts'
import { folders } from './folders.ts'

const docs = new URL('../../docs/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, docs), 'utf8')

test('there is a page for each error code, and for nothing else', () => {
  expect(readdirSync(new URL('errors/', docs)).sort()).toEqual(errorCodes.map((code) => `${code}.md`).sort())
})

test.each([...errorCodes])('the page of %s tells what happened, why, and what to do, in short', (code) => {
  const page = read(`errors/${code}.md`)
  expect(page.startsWith(`# ${code}\n\n`)).toBe(true)
  expect(page).toMatch(
    /\*\*Why\.\*\* .+\n\n\*\*What to do\*\*\n\n(- .+\n)+\n\*\*It looks like this\*\*\n\n```\n[^`]/,
  )
  expect(page.trimEnd().split('\n').length).toBeLessThanOrEqual(25)
  for (const [, link] of page.matchAll(/\]\((\S+?)\)/g)) expect(() => read(`errors/${link}`)).not.toThrow()
})

test('configuration.md names every key and every variable, and no others', () => {
  const page = read('configuration.md')
  const keys = [configSchema, partialProfileSchema, environmentSchema].flatMap(({ shape }) =>
    Object.keys(shape),
  )
  for (const key of [...keys, ...Object.keys(resourcesShape)]) expect(page).toContain(`\`${key}\``)
  const variables = [...Object.keys(profileVariables), ...otherVariables]
  expect([...new Set(page.match(/FARCALL_[A-Z_]+/g))].filter((name) => name !== 'FARCALL_').sort()).toEqual(
    variables.sort(),
  )
})

test.each([
  ['yaml', 'farcall.config.yaml'],
  ['ts', 'farcall.config.ts'],
])('the %s example of configuration.md is a configuration', async (language, name) => {
  const example = read('configuration.md').match(
    new RegExp(`\\n\`\`\`${language}\\n(.+?)\\n\`\`\`\\n`, 's'),
  )![1]!
  const { load } = folders({ [`home/project/${name}`]: example })
  const { name: profile, profile: hpc } = resolveProfile(await load())
  expect(profile).toBe('hpc')
  expect(hpc).toMatchObject({
    scheduler: 'slurm',
    host: 'login.hpc.edu',
    resources: { partition: 'short', time: '1h' },
  })
})
