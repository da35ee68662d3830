import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type Edit, editConfig } from '../../src/config/edit.ts'

const place = (text: string, format: 'yaml' | 'json' = 'yaml', at: string[] = []) => ({
  file: 'config',
  format,
  at,
  text,
})

const text = `# mine
defaultProfile: hpc # the big one
profiles:
  hpc:
    scheduler: slurm
    resources: { time: 1h, partition: "short" }
    environment:
      modules:
        - gcc # 12
  lab: { scheduler: direct }
`

describe('a key of a configuration file', () => {
  it('is set, and all else stays', () => {
    expect(editConfig(place(text), [{ path: ['profiles', 'hpc', 'resources', 'time'], value: '2h' }])).toBe(
      text.replace('time: 1h', 'time: 2h'),
    )
    expect(editConfig(place(text), [{ path: ['profiles', 'lab', 'port'], value: 22 }])).toBe(
      text.replace('{ scheduler: direct }', '{ scheduler: direct, port: 22 }'),
    )
  })

  it('is taken out, with what then holds nothing', () => {
    expect(
      editConfig(place(text), [{ path: ['profiles', 'hpc', 'environment', 'modules'], value: undefined }]),
    ).toBe(text.replace('    environment:\n      modules:\n        - gcc # 12\n', ''))
    const small = place('{"name":"study","farcall":{"profiles":{"a":{"scheduler":"direct"}}}}', 'json', [
      'farcall',
    ])
    expect(JSON.parse(editConfig(small, [{ path: ['profiles', 'a'], value: undefined }]))).toEqual({
      name: 'study',
      farcall: {},
    })
  })

  it('is not set in a file that cannot be read, or through what is no record', () => {
    for (const [broken, path] of [
      ['profiles: [', ['store']],
      ['profiles: 3', ['profiles', 'a']],
      ['- a', ['store']],
    ] as [string, [string]][])
      expect(() => editConfig(place(broken), [{ path, value: 1 }])).toThrow(
        expect.objectContaining({ code: 'CONFIG_UNREADABLE' }),
      )
  })

  it('is what the file says afterwards, whatever the file and the edits, and in both formats', () => {
    const key = fc.constantFrom('a', 'b', 'profiles', 'x y', '1', 'null', '"', '#')
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string(), { minLength: 1 }))
    const tree = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf, { minKeys: 1 })))
    const edit = fc.record({
      path: fc.array(key, { minLength: 1, maxLength: 2 }),
      value: fc.option(leaf, { nil: undefined }),
    }) as unknown as fc.Arbitrary<Edit>
    fc.assert(
      fc.property(tree, edit, fc.constantFrom('yaml', 'json'), (before, one, format) => {
        const source = JSON.stringify(before, null, 1)
        let made: string
        try {
          made = editConfig(place(source, format as 'yaml'), [one])
        } catch (error) {
          // The path leads through a value: nothing is changed, and it is said.
          expect(error).toMatchObject({
            code: 'CONFIG_UNREADABLE',
            message: expect.stringContaining('no record'),
          })
          return
        }
        const after = parse(made) ?? {}
        const found = one.path.reduce<unknown>(
          (inner, at) => (inner as Record<string, unknown> | undefined)?.[at],
          after,
        )
        expect(found).toEqual(one.value)
        const [top] = one.path
        const { [top]: _, ...others } = before
        const { [top]: __, ...left } = after as Record<string, unknown>
        expect(left).toEqual(others)
        expect(made.endsWith('\n')).toBe(true)
      }),
    )
  })
})
