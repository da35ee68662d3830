import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const script = new URL('../../scripts/test.mjs', import.meta.url)
const { count, failures, grouped, obstacle, summary } = await import(script.href)

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((state) => ({ status: state })),
})
const report = (testResults: unknown[], passed: number, failed: number, pending = 0, todo = 0) => ({
  testResults,
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: pending,
  numTodoTests: todo,
})

describe('npm test', () => {
  test('names skipped tests in its last line only where there are some', () => {
    expect(summary({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed')
    expect(summary({ passed: 12, failed: 1, skipped: 2 })).toBe('12 passed, 1 failed, 2 skipped')
  })

  test('counts a file that could not be loaded as a failure, and one with failed tests by these', () => {
    const results = [file('passed', 'passed'), file('failed', 'failed', 'failed', 'passed'), file('failed')]
    expect(count(report(results, 2, 2, 1, 1))).toEqual({ passed: 2, failed: 3, skipped: 2 })
  })

  test('names at its end each test that failed, and each file that could not be loaded', () => {
    const name = fileURLToPath(new URL('../core/some.test.ts', import.meta.url))
    const test = (fullName: string, status: string, ...failureMessages: string[]) => ({
      fullName,
      status,
      failureMessages,
    })
    const tests = [test('is', 'passed'), test('is not', 'failed', 'AssertionError: expected 1\n    at some')]
    const testResults = [
      { name, status: 'failed', assertionResults: tests },
      { name, status: 'failed', assertionResults: [], message: 'SyntaxError: what\nnot' },
      { name, status: 'passed', assertionResults: [] },
    ]
    expect(failures({ testResults })).toEqual([
      'test/core/some.test.ts > is not: AssertionError: expected 1',
      'test/core/some.test.ts: SyntaxError: what',
    ])
  })

  test('names what is missing for a kind of tests, and the packages that bring it', () => {
    const kind = {
      commands: { sshd: 'openssh-server', ssh: 'openssh-client', scp: 'openssh-client' },
      root: true,
    }
    const without =
      (...missing: string[]) =>
      (command: string) =>
        !missing.includes(command)
    expect(obstacle(kind, without(), true)).toBeUndefined()
    expect(obstacle(kind, without('ssh', 'scp'), true)).toBe(
      'no ssh, scp here; apt-get install -y --no-install-recommends openssh-client',
    )
    expect(obstacle(kind, without(), false)).toMatch(/^not root/)
    expect(obstacle({ npm: true }, without(), true, () => true)).toBeUndefined()
    expect(obstacle({ npm: true }, without(), true, () => false)).toMatch(/^npm cannot reach/)
  })

  test('runs kinds that wait beside kinds that compute, and each kind once', () => {
    expect(grouped(['unit', 'slurm', 'ssh', 'local', 'new'])).toEqual([
      ['slurm'],
      ['ssh'],
      ['unit', 'local'],
      ['new'],
    ])
    expect(grouped(['unit'])).toEqual([['unit']])
  })

  test('fails when no test ran, and says so in its last line', () => {
    const { status, stdout } = spawnSync(process.execPath, [fileURLToPath(script), 'unit', 'no-such-file'], {
      encoding: 'utf8',
    })
    expect(status).not.toBe(0)
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 1 failed')
  })

  test('says of each line whose it is where two runs go on at once, and adds them up', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [fileURLToPath(script), 'unit', 'package', 'test/core/nearest'],
      { encoding: 'utf8' },
    )
    expect(status).toBe(0)
    expect(stdout).toMatch(/^unit │ .*core\/nearest/m)
    expect(stdout).toMatch(/^package │ .*No test files found/m)
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^[1-9]\d* passed, 0 failed$/)
  })
})
