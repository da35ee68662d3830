import { ConfigError } from '../../core/errors.ts'
import type { NotifyEndpoint, NotifyOptions, NotifyState } from '../../core/notification.ts'
import type { Resources } from '../../core/resources.ts'
import type { ClusterOptions } from '../options/options.ts'
import { isEmail } from './endpoints.ts'
import { statesOf } from './text.ts'

/**
 * Slurm's word for each state; the other dialects read it, too. END is mailed of what was canceled as well
 * (https://slurm.schedmd.com/sbatch.html#OPT_mail-type).
 */
const types: Partial<Record<NotifyState, string>> = {
  ACTIVE: 'BEGIN',
  COMPLETED: 'END',
  FAILED: 'FAIL',
  CANCELED: 'END',
}

/**
 * Options whose e-mail the scheduler sends: an address among the endpoints becomes `mailUser` and `mailType`.
 * @throws ConfigError OPTION_INVALID for several addresses, or one beside `mailUser`
 */
export function withMail(
  options: ClusterOptions,
  configured: NotifyOptions,
  defaults: Resources = {},
): ClusterOptions {
  const endpoints = options.notify ?? configured.notify ?? []
  const [mail, ...more] = endpoints.filter(isEmail)
  if (!mail) return options
  const other = (['mailUser', 'mailType'] as const).find(
    (key) => (options[key] ?? defaults[key]) !== undefined,
  )
  if (more.length > 0 || other !== undefined)
    throw new ConfigError(
      'OPTION_INVALID',
      `notify: a job has one e-mail address, and there is ${mail.to} beside ${more[0]?.to ?? other}`,
      { hint: other ? `remove ${other}, or the e-mail of notify` : 'name a list that both read' },
    )
  return { ...options, notify: withoutMail(endpoints), mailUser: mail.to, mailType: mailTypes(mail) }
}

export const withoutMail = (endpoints: readonly NotifyEndpoint[]) => endpoints.filter((one) => !isEmail(one))

function mailTypes({ on }: NotifyEndpoint): string[] {
  if (on === 'all') return ['ALL']
  const states = statesOf(on)
  const words = new Set(states.map((state) => types[state]))
  if (words.has(undefined) || words.size === 0)
    throw new ConfigError(
      'OPTION_INVALID',
      `notify: no scheduler mails when a job is ${states.join(', ') || 'nothing'}`,
      {
        hint: "on: 'terminal', 'running-and-terminal', 'all', or states among ACTIVE, COMPLETED, FAILED and CANCELED",
      },
    )
  return [...words] as string[]
}
