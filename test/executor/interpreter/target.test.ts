import { describe, expect, it } from 'vitest'
import type { NodePlatform } from '../../../src/core/interpreter.ts'
import { parseNodeSetting } from '../../../src/core/node-setting.ts'
import type { Elf } from '../../../src/executor/interpreter/elf.ts'
import {
  rankVersions,
  requirePlatform,
  type Target,
  whyUnfit,
} from '../../../src/executor/interpreter/target.ts'

const el8: NodePlatform = { host: 'node017', arch: 'x86_64', glibc: '2.28', musl: false, stdcxx: '6.0.25' }
const target = (platform: Partial<NodePlatform> = {}, node = 'auto'): Target => {
  const setting = parseNodeSetting(node)
  if (!setting || !('versions' in setting)) throw new Error(node)
  const { kind, versions } = setting
  return { platform: { ...el8, ...platform }, versions, isAsked: kind === 'version', unfit: [] }
}

describe('a machine', () => {
  it('for which there is a Node has a name for it', () => {
    expect(requirePlatform(target())).toBe('linux-x64')
    expect(requirePlatform(target({ arch: 'aarch64', glibc: '2.17' }))).toBe('linux-arm64')
  })

  it('on which what was sent does not start is told why, and is not sent all the others', () => {
    const unfit = ['20.20.2-linux-x64']
    expect(requirePlatform({ ...target(), unfit })).toBe('linux-x64')
    expect(() => requirePlatform({ ...target({ stdcxx: '' }), unfit })).toThrow(/no libstdc\+\+\.so\.6/)
    expect(() => requirePlatform({ ...target(), unfit: [...unfit, '22.1.0-linux-x64'] })).toThrow(
      '20.20.2-linux-x64 and 22.1.0-linux-x64 do not start on node017',
    )
  })

  it.each<[string, Partial<NodePlatform>, string, RegExp]>([
    ['musl', { glibc: '', musl: true }, 'auto', /node017 has musl instead of glibc.*apk add nodejs/],
    ['another architecture', { arch: 'ppc64le' }, 'auto', /no Node for ppc64le of node017/],
    [
      'an older glibc',
      { glibc: '2.12' },
      'auto',
      /node017 has glibc 2\.12, and the oldest Node .* needs 2\.17/,
    ],
    ['no glibc', { glibc: '' }, 'auto', /node017 has no glibc/],
    [
      'EL7 and a newer Node',
      { glibc: '2.17' },
      '>=20',
      /node017 has glibc 2\.17, and Node >= 20 needs 2\.28/,
    ],
    ['EL7 and Node 18', { glibc: '2.17' }, '18', /node017 has glibc 2\.17, and Node 18 needs 2\.28/],
  ])('with %s is told so, and what to do', (_, platform, node, message) => {
    expect(() => requirePlatform(target(platform, node))).toThrow(
      expect.objectContaining({
        code: 'INTERPRETER_MISSING',
        message: expect.stringMatching(message),
        hint: expect.stringMatching(/environment\.node/),
      }),
    )
  })
})

describe('the versions to try', () => {
  const all = [
    '14.21.3',
    '16.0.0',
    '16.20.2',
    '17.9.1',
    '18.20.8',
    '20.2.0',
    '20.20.2',
    '21.7.3',
    '22.23.5',
    '24.1.0',
    '25.0.0',
  ]
  const first = (node: string, platform: Partial<NodePlatform> = {}, here = '20.2.0') =>
    rankVersions(all, target(platform, node), here)[0]

  it('begin with the one that runs here, then the newest of its major, then the newest that is maintained', () => {
    expect(first('auto')).toBe('20.2.0')
    expect(first('auto', {}, '20.19.4')).toBe('20.20.2')
    expect(first('auto', {}, '26.0.0')).toBe('24.1.0')
    expect(first('>=20', {}, '18.0.0')).toBe('24.1.0')
    expect(first('22')).toBe('22.23.5')
    expect(first('99')).toBeUndefined()
  })

  it('are 16.20.2 at glibc 2.17 to 2.27', () => {
    for (const glibc of ['2.17', '2.27']) expect(first('auto', { glibc })).toBe('16.20.2')
    expect(first('auto', { glibc: '2.28' })).toBe('20.2.0')
  })
})

describe('a program', () => {
  const elf: Elf = {
    arch: 'x86_64',
    loader: '/lib64/ld-linux-x86-64.so.2',
    libraries: [
      'libdl.so.2',
      'libstdc++.so.6',
      'libm.so.6',
      'libgcc_s.so.1',
      'libc.so.6',
      'ld-linux-x86-64.so.2',
    ],
    glibc: '2.28',
    glibcxx: '3.4.21',
  }

  it('fits where all that it needs is there', () => {
    expect(whyUnfit(elf, target())).toBeUndefined()
    expect(whyUnfit(elf, target({ stdcxx: '' }))).toBeUndefined()
  })

  it.each<[Partial<Elf>, Partial<NodePlatform>, RegExp]>([
    [{}, { glibc: '2.17' }, /needs glibc 2\.28/],
    [{ arch: 'aarch64' }, {}, /for aarch64/],
    [{ loader: '/nix/store/x/ld-linux-x86-64.so.2' }, {}, /started by \/nix/],
    [{ libraries: ['libnode.so.115', 'libc.so.6'] }, {}, /needs libnode\.so\.115/],
    [{ libraries: ['libatomic.so.1', 'libc.so.6'] }, {}, /needs libatomic/],
    [{ glibcxx: '3.4.29' }, {}, /needs GLIBCXX_3\.4\.29/],
  ])('%j does not fit on %j', (change, platform, why) => {
    expect(whyUnfit({ ...elf, ...change }, target(platform))).toMatch(why)
  })

  it('that was asked for by its version may want libatomic, which newer ones all do', () => {
    const newer = { ...elf, libraries: [...elf.libraries, 'libatomic.so.1'] }
    expect(whyUnfit(newer, target({}, '26'))).toBeUndefined()
  })
})
