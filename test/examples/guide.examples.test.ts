import { describe, expect, it } from 'vitest'
import { builtPrograms } from './built.ts'
import { guideBlocks } from './guide.ts'

const program = builtPrograms()

/** What a program needs that is not on this machine. */
const needs = [
  { what: 'a cluster', by: /'hpc'|defaultProfile/ },
  { what: 'GPUs', by: /gpus/ },
  { what: 'a job of another day', by: /attach<number>\('f/ },
]

const whole = guideBlocks.filter(
  ({ code }) => code.startsWith('import ') && !needs.some(({ by }) => by.test(code)),
)

describe('programs of the guide', () => {
  it('are found', () => expect(whole.length).toBeGreaterThan(5))

  it.each(whole.map(({ section, code }, index) => [section, index, code] as const))(
    '%s (%i) runs as it is written',
    async (_, __, code) => {
      expect(await program('study.ts', { files: { 'study.ts': code } })).toMatchObject({
        code: 0,
        stderr: '',
      })
    },
  )
})
