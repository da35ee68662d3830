import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { withProfile } from '../../src/config/add-profile.ts'
import { projectPlace, userPlace } from '../../src/config/where-to-write.ts'
import { removeFolder } from '../remove-folder.ts'

const asked = { file: 'config.yaml', name: 'hpc', profile: { scheduler: 'slurm', host: 'hpc' } }
const lines = '  hpc:\n    scheduler: slurm\n    host: hpc\n'

describe('a profile in YAML', () => {
  it.each(['', '# nothing yet\n', 'profiles:\n', 'profiles: {}\n', '{}\n', '---\n'])(
    'is added to %j',
    (text) => {
      const made = withProfile(text, 'yaml', asked)!
      expect(made).toContain('profiles:\n  hpc:\n    scheduler: slurm\n    host: hpc\n')
      if (text.startsWith('#')) expect(made).toContain('# nothing yet')
      expect(withProfile(made, 'yaml', asked)).toBeUndefined()
    },
  )

  it('keeps comments, order, quotes and flow of all else', () => {
    const text =
      "# mine\nstore: '/data/farcall' # large\nprofiles:\n  # the lab's\n  lab: { scheduler: direct, host: lab }\n\n  other:\n    scheduler: \"slurm\"\n"
    expect(withProfile(text, 'yaml', asked)).toBe(`${text}${lines}`)
    expect(withProfile(text, 'yaml', { ...asked, asDefault: true })).toBe(
      `${text}${lines}defaultProfile: hpc\n`,
    )
  })

  it('leaves another profile of that name, and a default, as they are', () => {
    const text = 'defaultProfile: lab\nprofiles:\n  hpc:\n    scheduler: direct\n'
    expect(() => withProfile(text, 'yaml', asked)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining("profile 'hpc' already"),
      }),
    )
    const other = { ...asked, name: 'new', asDefault: true }
    expect(withProfile(text, 'yaml', other)).toContain('defaultProfile: lab\n')
    // The person has added to it since.
    const more = 'profiles:\n  hpc: { scheduler: slurm, host: hpc, user: me }\n'
    expect(withProfile(more, 'yaml', asked)).toBeUndefined()
  })

  it('touches no file that it cannot read', () => {
    for (const text of ['profiles: [', '- a\n- b\n', 'just words\n'])
      expect(() => withProfile(text, 'yaml', asked)).toThrow(
        expect.objectContaining({ code: 'CONFIG_UNREADABLE' }),
      )
  })
})

describe('a profile in JSON', () => {
  it('keeps indent and order, and goes where package.json has it', () => {
    expect(withProfile('{\n\t"store": "/s"\n}\n', 'json', asked)).toBe(
      '{\n\t"store": "/s",\n\t"profiles": {\n\t\t"hpc": {\n\t\t\t"scheduler": "slurm",\n\t\t\t"host": "hpc"\n\t\t}\n\t}\n}\n',
    )
    const made = withProfile('{"name":"study","farcall":{}}', 'json', { ...asked, at: ['farcall'] })!
    expect(JSON.parse(made)).toEqual({ name: 'study', farcall: { profiles: { hpc: asked.profile } } })
    expect(withProfile(made, 'json', { ...asked, at: ['farcall'] })).toBeUndefined()
    expect(() => withProfile('{', 'json', asked)).toThrow(
      expect.objectContaining({ code: 'CONFIG_UNREADABLE' }),
    )
  })
})

describe('the file that a profile goes to', () => {
  const home = mkdtempSync(join(tmpdir(), 'farcall-places-'))
  afterAll(() => removeFolder(home))

  it('is the one that is there, else a new one', () => {
    const project = join(home, 'study/src')
    mkdirSync(project, { recursive: true })
    expect(projectPlace(project, home)).toEqual({
      file: join(project, 'farcall.config.yaml'),
      format: 'yaml',
      at: [],
      text: '',
    })
    writeFileSync(join(home, 'study/package.json'), '{"farcall":{}}')
    expect(projectPlace(project, home)).toMatchObject({
      file: join(home, 'study/package.json'),
      format: 'json',
      at: ['farcall'],
    })
    writeFileSync(join(home, 'study/farcall.config.ts'), 'export default {}')
    expect(projectPlace(project, home).format).toBeUndefined()
    expect(userPlace(join(home, 'none')).file).toBe(join(home, 'none/config.yaml'))
    writeFileSync(join(home, 'config.json'), '{}')
    expect(userPlace(home)).toMatchObject({ file: join(home, 'config.json'), format: 'json', text: '{}' })
  })
})
