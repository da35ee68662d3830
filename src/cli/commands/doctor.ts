import { Command } from 'commander'
import { unnamedScheduler } from '../../core/profile.ts'
import type { Step } from '../../executor/doctor/step.ts'
import { showStatus } from '../status-line.ts'

interface Options {
  profile?: string
  job: boolean
  wait: string
  json?: true
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .argument('[profile]', 'the profile to look at; default: the one that calls go to')
    .option('--profile <name>', 'the same')
    .option('--no-job', 'submit no job: compute nodes are then not looked at')
    .option('--wait <time>', 'how long that job may wait for its turn', '2m')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
From the host's name to a job: name, port, host key, login, start-up files, work folder, space and quota, scheduler,
partitions, Node here and on a compute node, whether that sees the work folder, and the clocks. The job asks for what the
profile says (partition, account …), two minutes and one core. Nothing of it is left behind.

Examples:
  farcall doctor
  farcall doctor hpc --no-job
  farcall doctor hpc --json | jq '.steps[] | select(.verdict != "ok")'

Exit code: 0 when calls will run (some steps may be slow, or have advice); 1 when there is something to do first.`,
    )
    .action(doctor)
}

export async function doctor(named: string | undefined, options: Options): Promise<void> {
  const [{ diagnose }, { writtenSettings }, { rememberScheduler }, { parseDuration }, { systemClock }] =
    await Promise.all([
      import('../../executor/doctor/doctor.ts'),
      import('../../client/options/settings.ts'),
      import('../../client/options/found-schedulers.ts'),
      import('../../core/units.ts'),
      import('../../core/clock.ts'),
    ])
  const waitSeconds = parseDuration(options.wait, '--wait')
  const { name, profile, storeDir } = await writtenSettings(named ?? options.profile)
  const json = options.json ?? false
  const interrupted = new AbortController()
  const onInterrupt = () => interrupted.abort()
  process.once('SIGINT', onInterrupt)
  const status = showStatus(!json)
  const steps: Step[] = []
  if (!json) process.stdout.write(`profile ${name}: ${placeOf(profile)}\n\n`)
  try {
    const { signal } = interrupted
    const asked = {
      job: options.job,
      waitSeconds,
      clock: systemClock,
      signal,
      onStatus: status.show,
      onScheduler: (found: string) => rememberScheduler(storeDir, profile, found),
    }
    for await (const step of diagnose(profile, asked)) {
      steps.push(step)
      status.clear()
      if (!json) process.stdout.write(shownStep(step, process.stdout.columns))
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
    process.stderr.write('interrupted; the job of the doctor was canceled\n')
    process.exitCode = 130
    return
  } finally {
    status.clear()
    process.off('SIGINT', onInterrupt)
  }
  const fine = steps.every(({ verdict }) => verdict !== 'failed')
  if (json) process.stdout.write(`${JSON.stringify({ profile: name, ok: fine, steps }, null, 2)}\n`)
  else process.stdout.write(`\n${conclusion(steps)}\n`)
  if (!fine) process.exitCode = 1
}

function placeOf(profile: { scheduler: string; host?: string; user?: string; port?: number }): string {
  const { host, user, port } = profile
  const scheduler = profile.scheduler === unnamedScheduler ? 'a scheduler to be found out' : profile.scheduler
  if (host === undefined) return `${scheduler} on this machine`
  return `${scheduler} on ${user === undefined ? '' : `${user}@`}${host}${port === undefined ? '' : `:${port}`}`
}

const words: Record<Step['verdict'], string> = {
  ok: 'ok',
  slow: 'slow',
  warning: 'advice',
  failed: 'TO DO',
  skipped: 'skipped',
}
const titles: Partial<Record<Step['name'], string>> = {
  'host-key': 'host key',
  shell: 'start-up files',
  workdir: 'work folder',
  'compute-node': 'compute node',
  'shared-folder': 'shared folder',
}

const indent = 25

/** One step in words; its hint stands below it. Lines are broken to `width`, where there is one. */
export function shownStep({ name, verdict, found, hint, code }: Step, width?: number): string {
  const head = `${words[verdict].padEnd(8)} ${(titles[name] ?? name).padEnd(15)} `
  const page = verdict === 'failed' && code !== undefined ? ` (docs/errors/${code}.md)` : ''
  const lines = [head + wrapped(found, indent, width)]
  if (hint !== undefined) lines.push(`${' '.repeat(indent)}→ ${wrapped(hint + page, indent + 2, width)}`)
  return `${lines.join('\n')}\n`
}

/** The text in lines that begin at a column. */
function wrapped(text: string, column: number, width = Number.POSITIVE_INFINITY): string {
  const room = Math.max(30, width - column - 1)
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > room) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines.join(`\n${' '.repeat(column)}`)
}

/** What it all comes to. */
export function conclusion(steps: readonly Step[]): string {
  const count = (verdict: Step['verdict']) => steps.filter((step) => step.verdict === verdict).length
  const [failed, advice, slow] = [count('failed'), count('warning'), count('slow')]
  const last = steps.at(-1)
  if (failed > 0) {
    const todo = `${failed === 1 ? 'One thing' : `${failed} things`} to do before calls can run`
    return last?.verdict === 'failed' && last.name !== 'clock' && isDeadEnd(last)
      ? `${todo}; what comes after it cannot be known until then.`
      : `${todo}.`
  }
  const parts = [
    ...(slow > 0 ? [`${slow} slow`] : []),
    ...(advice > 0 ? [`${advice === 1 ? 'a piece' : `${advice} pieces`} of advice`] : []),
  ]
  const rest = parts.length === 0 ? '' : ` (${parts.join(', ')})`
  return steps.some(({ name, verdict }) => name === 'job' && verdict === 'skipped')
    ? `All well as far as the login node${rest}; no job was tried.`
    : `All well${rest}: calls run here.`
}

const isDeadEnd = ({ name }: Step) => ['name', 'port', 'host-key', 'login'].includes(name)
