import { describe, expect, it } from 'vitest'
import { reportText, withFlag } from '../../src/cli/report.ts'
import { ConfigError } from '../../src/core/errors.ts'

describe('an error on the command line', () => {
  const flags = new Map([['minGpus', '--min-gpus']])
  const told = (code: 'OPTION_INVALID' | 'CONFIG_INVALID', message: string) =>
    withFlag(reportText(new ConfigError(code, message), false), flags)

  it('names the flag that stands for an option of the library', () => {
    expect(told('OPTION_INVALID', 'minGpus: 5 is more')).toMatch(
      /^error OPTION_INVALID: --min-gpus: 5 is more/,
    )
    expect(told('OPTION_INVALID', 'memory: much')).toMatch(/^error OPTION_INVALID: memory: much/)
    expect(told('CONFIG_INVALID', 'minGpus: 5')).toMatch(/^error CONFIG_INVALID: minGpus: 5/)
  })
})
