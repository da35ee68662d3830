import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { resolveResources } from '../../src/core/resolve-resources.ts'
import { resourceNames } from '../../src/core/resources.ts'
import { containerResources } from '../../src/executor/kubernetes/resources.ts'
import { schedulers } from '../../src/scheduler/all.ts'
import { renderDirectives } from '../../src/scheduler/directives.ts'

const script = new URL('../../scripts/resources.mjs', import.meta.url)
const { resourcePage } = await import(script.href)
const page = readFileSync(new URL('../../docs/resources.md', import.meta.url), 'utf8')

test('docs/resources.md is what the tables say: npm run build && npm run docs:resources writes it', () => {
  expect(page).toBe(resourcePage({ schedulers, renderDirectives, resolveResources, containerResources }))
})

test('it has each resource, and each scheduler', () => {
  for (const name of resourceNames) if (name !== 'queue') expect(page).toContain(`| \`${name}: `)
  for (const { name } of schedulers) expect(page).toContain(` ${name} |`)
})
