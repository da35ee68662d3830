import { ConfigError } from '../core/errors.ts'
import { shellJoin } from '../core/shell.ts'
import { schedulers } from '../scheduler/all.ts'
import type { Transport } from '../transport/transport.ts'

/** Those with a queue, in the order in which they are named: a site's wrappers of an old one come after what is behind them. */
const queues = schedulers.filter(({ immediate }) => !immediate)

/**
 * The schedulers whose commands are there; one command for all. Where there are several, those that answer: the commands
 * of another may be installed and lead nowhere.
 */
export async function detectSchedulers(transport: Transport): Promise<string[]> {
  const quietly = (argv: readonly string[]) => `${shellJoin(argv)} </dev/null >/dev/null 2>&1`
  const looks = queues.map(({ name, detect }) => `! ${quietly(detect().argv)} || found="$found ${name}"`)
  const asks = queues.map(
    ({ name, capacity }) => `    ${name}) ! ${quietly(capacity().argv)} || answers="$answers ${name}" ;;`,
  )
  const script = `found= answers=
${looks.join('\n')}
case $found in
  ' '*' '*) for name in $found; do
    case $name in
${asks.join('\n')}
    esac
  done ;;
esac
printf 'found%s\\n' "\${answers:-$found}"`
  const result = await transport.exec({ argv: ['sh', '-c', script] })
  const said = Buffer.from(result.stdout).toString('utf8')
  const names = /^found(.*)$/m.exec(said)?.[1]?.split(' ') ?? []
  return queues.map(({ name }) => name).filter((name) => names.includes(name))
}

/**
 * The one scheduler that a place has, for a profile that names none.
 * @throws ConfigError SCHEDULER_MISSING when there is none, CONFIG_INVALID when there are several
 */
export function theOnly(found: readonly string[], place: string): string {
  const [first, ...others] = found
  if (first === undefined)
    throw new ConfigError(
      'SCHEDULER_MISSING',
      `the profile names no scheduler, and on ${place} there is none that farcall knows (${queues.map(({ name }) => name).join(', ')})`,
      {
        hint: 'is it a login node of the cluster? What a module brings is loaded in .profile; `scheduler: direct` runs jobs on that machine itself',
      },
    )
  if (others.length === 0) return first
  throw new ConfigError(
    'CONFIG_INVALID',
    `the profile names no scheduler, and on ${place} there are several: ${found.join(', ')}`,
    {
      hint: `choose one in the profile, \`scheduler: ${first}\` say: commands of the others may be wrappers around it`,
    },
  )
}
