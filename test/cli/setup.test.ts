import { expect, it } from 'vitest'
import { lineDiff } from '../../src/cli/setup/line-diff.ts'
import { readHost, suggestName } from '../../src/cli/setup/setup.ts'

it.each([
  ['hpc', { host: 'hpc' }],
  ['me@login.hpc.edu', { host: 'login.hpc.edu', user: 'me' }],
  ['me@login.hpc.edu:2222', { host: 'login.hpc.edu', user: 'me', port: 2222 }],
  ['[::1]:22', { host: '::1', port: 22 }],
])('reads %s', (text, host) => {
  expect(readHost(text, {})).toEqual(host)
})

it('takes flags before what stands in the host', () => {
  expect(readHost('me@hpc:1', { user: 'you', port: 2 })).toEqual({ host: 'hpc', user: 'you', port: 2 })
})

it.each(['', '-oProxyCommand=x', 'a b', 'me@', '@hpc', 'hpc:', 'hpc:x', 'me@-x'])('refuses %j', (text) => {
  expect(() => readHost(text, {})).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
})

it.each([
  ['login3.hpc.uni.edu', 'hpc'],
  ['login-01.cosma.dur.ac.uk', 'cosma'],
  ['perlmutter.nersc.gov', 'perlmutter'],
  ['login', 'login'],
  ['10.0.0.7', 'cluster'],
])('calls %s %s', (host, name) => {
  expect(suggestName(host)).toBe(name)
})

it('shows what a change adds, with a line around it', () => {
  expect(lineDiff('', 'a\nb\n')).toBe('+ a\n+ b')
  expect(lineDiff('a\nc\n', 'a\nb\nc\n')).toBe('  a\n+ b\n  c')
  expect(lineDiff('a\n', 'a\nb\n')).toBe('  a\n+ b')
  expect(lineDiff('a\nx\nc\n', 'a\ny\nc\n')).toBe('  a\n- x\n+ y\n  c')
})
