import { expect, it } from 'vitest'
import { conclusion, shownStep } from '../../src/cli/commands/doctor.ts'
import type { Step } from '../../src/executor/doctor/step.ts'

const step = (name: Step['name'], verdict: Step['verdict']): Step => ({ name, verdict, found: 'as it is' })

it('a step is one line, and its hint stands below, broken to the terminal', () => {
  const refused: Step = {
    name: 'compute-node',
    verdict: 'failed',
    found: 'no node on PATH on n1',
    hint: 'load a module of the site that has one',
    code: 'INTERPRETER_MISSING',
  }
  expect(shownStep(refused)).toBe(
    'TO DO    compute node    no node on PATH on n1\n' +
      '                         → load a module of the site that has one (docs/errors/INTERPRETER_MISSING.md)\n',
  )
  expect(shownStep(refused, 70)).toBe(
    'TO DO    compute node    no node on PATH on n1\n' +
      '                         → load a module of the site that has one\n' +
      '                           (docs/errors/INTERPRETER_MISSING.md)\n',
  )
})

it('the conclusion says whether calls run', () => {
  expect(conclusion([step('job', 'ok'), step('clock', 'ok')])).toBe('All well: calls run here.')
  expect(conclusion([step('link', 'slow'), step('clock', 'warning')])).toBe(
    'All well (1 slow, a piece of advice): calls run here.',
  )
  expect(conclusion([step('job', 'skipped')])).toBe('All well as far as the login node; no job was tried.')
  expect(conclusion([step('name', 'ok'), step('port', 'failed')])).toBe(
    'One thing to do before calls can run; what comes after it cannot be known until then.',
  )
  expect(conclusion([step('quota', 'failed'), step('job', 'failed'), step('clock', 'ok')])).toBe(
    '2 things to do before calls can run.',
  )
})
