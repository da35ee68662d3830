import { expect } from 'vitest'
import type { Outcome, Project } from './project.ts'

interface Case {
  remote?: unknown
  local?: unknown
  error?: { name: string; message: string; stack: string; code?: string; hint?: string }
}

export type Report = Record<string, Case>

/** What the program printed last. */
export function reportOf({ stdout, stderr, code }: Outcome): Report {
  const last = stdout.trim().split('\n').at(-1) ?? ''
  if (code !== 0 || !last.startsWith('{')) throw new Error(`exit code ${code}\n${stdout}\n${stderr}`)
  return JSON.parse(last)
}

const closure = { label: 'before', total: 11, primes: 10, shifted: 7, mode: 2 }

export function expectWrapped(report: Report, project: Project): void {
  expect(report['closure']).toEqual({ remote: closure, local: closure })
  expect(report['map']).toEqual({ remote: [101, 102, 103], local: [101, 102, 103] })
  expectError(report['error'], 'not positive: -1', [
    project.place('model.ts', 'new RangeError'),
    project.place('wrapped.ts', 'positive(n)'),
  ])
}

export function expectDecorated(report: Report, project: Project): void {
  expect(report['method']).toEqual({ remote: 37, local: 37 })
  expectError(report['methodError'], 'not positive: -2', [
    project.place('model.ts', 'new RangeError'),
    project.place('decorated.ts', 'positive(n)'),
  ])
}

/** The stack begins in the user's TypeScript, at the very character. */
function expectError(found: Case | undefined, message: string, places: readonly string[]): void {
  expect(found?.error).toMatchObject({ name: 'RangeError', message })
  const frames = found!.error!.stack.split('\n').filter((line) => /^\s+at /.test(line))
  expect(frames.slice(0, places.length).map(placeOf)).toEqual(places)
}

const placeOf = (frame: string): string | undefined => /(\/[^()]*:\d+:\d+)\)?$/.exec(frame)?.[1]
