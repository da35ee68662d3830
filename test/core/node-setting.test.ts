import { describe, expect, it } from 'vitest'
import { compareVersions, describeVersions, isWanted, parseNodeSetting } from '../../src/core/node-setting.ts'

describe('environment.node', () => {
  it.each([
    ['auto', { kind: 'auto', versions: { prefix: '', least: '16' } }],
    ['20', { kind: 'version', versions: { prefix: '20', least: '16' } }],
    ['v22.11', { kind: 'version', versions: { prefix: '22.11', least: '16' } }],
    ['20.x', { kind: 'version', versions: { prefix: '20', least: '16' } }],
    ['>=20', { kind: 'version', versions: { prefix: '', least: '20' } }],
    ['>= 20.9.1', { kind: 'version', versions: { prefix: '', least: '20.9.1' } }],
    ['/opt/node/bin/node', { kind: 'path', path: '/opt/node/bin/node' }],
    ['~/bin/node', { kind: 'path', path: '~/bin/node' }],
    ['$SCRATCH/node', { kind: 'path', path: '$SCRATCH/node' }],
    ['nodejs/20', { kind: 'module', module: 'nodejs/20' }],
    ['NodeJS/20.9.0-GCCcore-13.2.0', { kind: 'module', module: 'NodeJS/20.9.0-GCCcore-13.2.0' }],
    ['node', { kind: 'module', module: 'node' }],
  ])('%s is read', (text, setting) => expect(parseNodeSetting(text)).toEqual(setting))

  it.each(['', '14', '>=12', '<20', '20 || 22', 'bin/node;rm', 'a b', '/x\ny', '20.1.2.3'])(
    '%j is none',
    (text) => expect(parseNodeSetting(text)).toBeUndefined(),
  )

  it('allows what it says', () => {
    const of = (text: string) => {
      const setting = parseNodeSetting(text)
      if (!setting || !('versions' in setting)) throw new Error(text)
      return setting.versions
    }
    const wanted = (text: string, all: string[]) => all.filter((version) => isWanted(version, of(text)))
    const all = ['14.21.3', '16.20.2', '20.2.0', '20.11.1', '22.1.0', '200.0.0']
    expect(wanted('auto', all)).toEqual(all.slice(1))
    expect(wanted('20', all)).toEqual(['20.2.0', '20.11.1'])
    expect(wanted('20.1', all)).toEqual([])
    expect(wanted('>=20.9', all)).toEqual(['20.11.1', '22.1.0', '200.0.0'])
    expect(['20', '>=20.9', 'auto'].map((text) => describeVersions(of(text)))).toEqual([
      'Node 20',
      'Node >= 20.9',
      'Node >= 16',
    ])
    expect(compareVersions('2.36', '2.4')).toBeGreaterThan(0)
  })
})
