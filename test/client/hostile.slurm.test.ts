import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { hostile } from './hostile.ts'
import { onLogin, thrown } from './left.ts'

const { sshd } = inject('slurms').plain
const jobs = () => onLogin(sshd, 'squeue -h -o %i | sort; ls -A .farcall/jobs .farcall/inbox 2>/dev/null')

describe('hostile text on Slurm', () => {
  beforeAll(async () => {
    const { host, port, user, identityFile, knownHosts } = sshd
    const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, keep: 'none' } as const
    configure({ profiles: { slurm: { ...place, queryInterval: '2s', grace: '20s' } } })
    await cluster({ profile: 'slurm' }, () => 1)()
    await close()
  })
  afterAll(close)

  it('reaches a job as itself: name, variables, arguments', async () => {
    const variables = Object.fromEntries(hostile.map((text, n) => [`V${n}`, text]))
    const show = cluster({ profile: 'slurm', environment: { variables } }, (given: string[]) => ({
      given,
      name: process.env['SLURM_JOB_NAME'],
      variables: given.map((_, n) => process.env[`V${n}`]),
    }))
    const asked = hostile.map((name) => show.with({ name })(hostile))
    const seen = await Promise.all(asked)
    expect(seen.map(({ name }) => name)).toEqual(hostile)
    expect(seen.map(({ given, variables: got }) => [given, got])).toEqual(
      hostile.map(() => [hostile, hostile]),
    )
  })

  it.each(['partition', 'account', 'constraint'] as const)(
    'as %s is refused in words, and nothing is left',
    async (key) => {
      await close()
      // Slurm has a job for a moment after its result is here.
      const isEmpty = () => onLogin(sshd, 'squeue -h -o %i')
      await expect.poll(isEmpty, { timeout: 60_000 }).toBe('')
      const before = jobs()
      for (const text of hostile) {
        const error = await cluster({ profile: 'slurm', [key]: text }, () => 1)().catch(
          (reason: unknown) => reason,
        )
        // Without accounting an account is a comment to Slurm: then the job runs.
        if (error === 1) expect(key).toBe('account')
        else expect({ text, error }).toMatchObject({ error: { name: 'SubmitError', code: 'SUBMIT_REFUSED' } })
      }
      await close()
      await expect.poll(jobs, { timeout: 60_000 }).toBe(before)
      expect(onLogin(sshd, 'find . -name pwned')).toBe('')
    },
  )

  it('with a control character never reaches sbatch', () => {
    for (const key of ['name', 'partition', 'account', 'constraint', 'qos', 'reservation'])
      thrown(() => cluster({ profile: 'slurm', [key]: 'a\n#SBATCH --exclusive' }, () => 1), {
        name: 'ConfigError',
        code: 'VALUE_UNSAFE',
        message: new RegExp(`^${key}: .*control character`),
        hint: /line breaks/,
      })
  })
})
