import { expect, it } from 'vitest'
import { adviceOn, readPorts } from '../../src/cli/commands/forward.ts'

it('reads one port, or two', () => {
  expect(readPorts('8888', undefined)).toEqual({ port: 8888, local: undefined })
  expect(readPorts('9000:8888', undefined)).toEqual({ port: 8888, local: 9000 })
  expect(readPorts('8888', '9000')).toEqual({ port: 8888, local: 9000 })
  expect(readPorts('9000:8888', '9000')).toEqual({ port: 8888, local: 9000 })
})

it.each([
  ['0', undefined],
  ['65536', undefined],
  ['a:80', undefined],
  ['-1', undefined],
  ['80', 'http'],
  ['80', '70000'],
  ['9000:80', '9001'],
])('refuses %s with --local %s', (ports, local) => {
  expect(() => readPorts(ports, local)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
})

it('says what to do about a port that does not answer', () => {
  expect(adviceOn('open', 80, 'n1', true)).toBeUndefined()
  expect(adviceOn('unknown', 80, 'n1', true)).toBeUndefined()
  expect(adviceOn('closed', 80, 'n1', true)).toContain('listen on 0.0.0.0')
  expect(adviceOn('closed', 80, 'vm', false)).not.toContain('0.0.0.0')
  expect(adviceOn('silent', 80, 'n1', true)).toContain('nothing but the scheduler')
})
