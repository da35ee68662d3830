/** What the tiny job says: whether it was taken, where it ran, and whether that node is fit for calls. */
import { SubmitError } from '../../core/errors.ts'
import { anyNode, describeVersions, parseNodeSetting } from '../../core/node-setting.ts'
import type { ResolvedResources } from '../../core/resources.ts'
import type { JobStatus } from '../../core/status.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import { requirePlatform } from '../interpreter/target.ts'
import type { JobAnswer, NodeReport } from './job.ts'
import { nodeHint } from './login-node.ts'
import { failure, ok, type Step, span, trouble } from './step.ts'

const slowQueueSeconds = 60
const slowFolderSeconds = 5

/** sbatch said no. */
export function judgeRefusal(error: unknown): Step {
  const step = failure('job', error, 'the words above are the scheduler’s own; the site can explain them')
  return error instanceof SubmitError ? { ...step, found: `the scheduler takes no job: ${step.found}` } : step
}

/** All that a job tells. */
export function judgeJob(
  answer: JobAnswer,
  workdir: string,
  scheduler: Scheduler,
  asked: ResolvedResources,
  nodeSetting?: string,
): Step[] {
  const { report, nativeId, seconds } = answer
  if (!report) {
    const silence = judgeSilence(answer, workdir, scheduler, asked)
    return silence.name === 'job'
      ? [silence]
      : [ok('job', `job ${nativeId} was taken, and ran`, { nativeId, seconds }), silence]
  }
  const where = report.partition === '' ? report.host : `${report.host} (${report.partition})`
  const found = `job ${nativeId} ran on ${where}, ${span(seconds)} after it was submitted`
  const facts = { nativeId, host: report.host, partition: report.partition, seconds }
  const job =
    seconds < slowQueueSeconds
      ? ok('job', found, facts)
      : trouble(
          'job',
          'slow',
          found,
          'it waited for its turn: that is the queue of the site; a smaller `time`, or another partition, may come sooner',
          { facts },
        )
  return [job, judgeComputeNode(report, nodeSetting), judgeFolder(answer, report, workdir)]
}

function judgeSilence(
  { nativeId, seconds, status, gaveUp }: JobAnswer,
  workdir: string,
  scheduler: Scheduler,
  asked: ResolvedResources,
): Step {
  const facts = { nativeId, seconds, status }
  const fail = (found: string, hint: string, code: 'WORKDIR_UNUSABLE' | 'JOB_FAILED') =>
    trouble(code === 'WORKDIR_UNUSABLE' ? 'shared-folder' : 'job', 'failed', found, hint, { code, facts })
  if (gaveUp) {
    const why =
      status?.message === undefined
        ? undefined
        : (scheduler.explainWaiting?.(status.message, asked)?.words ?? status.message)
    return trouble(
      'job',
      'warning',
      status?.state === 'ACTIVE'
        ? `job ${nativeId} runs, and has said nothing for ${span(seconds)}; it was canceled`
        : `job ${nativeId} still waits after ${span(seconds)}${why === undefined ? '' : `: ${why}`}; it was canceled`,
      'a queue may be long: `farcall doctor --wait 30m` has more patience, `--no-job` does without',
      { facts },
    )
  }
  const shared = 'name a `workdir` on a file system that all nodes share: your home, or $SCRATCH/farcall'
  switch (status?.exitCode) {
    case 72:
      return fail(`the node that ran job ${nativeId} has no folder ${workdir}`, shared, 'WORKDIR_UNUSABLE')
    case 73:
      return fail(
        `the node that ran job ${nativeId} has another folder at ${workdir}: what is written on the login node is not there`,
        shared,
        'WORKDIR_UNUSABLE',
      )
    case 74:
      return fail(
        `the node that ran job ${nativeId} cannot write to ${workdir}`,
        `${shared}; some sites mount homes read-only on compute nodes`,
        'WORKDIR_UNUSABLE',
      )
  }
  return fail(
    `job ${nativeId} ended without a word: ${shownStatus(status)}`,
    silentHint(status),
    'JOB_FAILED',
  )
}

function shownStatus(status: JobStatus | undefined): string {
  if (status === undefined) return 'the scheduler knows nothing of it any more'
  const code = status.exitCode === undefined ? '' : `, exit code ${status.exitCode}`
  const message = status.message === undefined ? '' : `, ${status.message}`
  return `${status.native ?? status.state}${code}${message}`
}

function silentHint(status: JobStatus | undefined): string {
  if (status?.reason === 'launch-failed')
    return 'the node could not start it; another `resources.partition` may have sound nodes, else show this to the site'
  if (status === undefined)
    return 'either it ended at once, or the node does not share the work folder: try a `workdir` on a shared file system'
  return 'try the same by hand: `sbatch --wrap hostname`; then show it to the site'
}

/** Whether there is a Node, or one can be sent. */
export function judgeComputeNode(report: NodeReport, setting = 'auto'): Step {
  const { node, libc, machine, host, problem, cores, need } = report
  const facts = { host, machine, libc, cores, path: node.path, version: node.version, from: node.from }
  const where = `on ${host} (${[machine, libc].filter(Boolean).join(', ')})`
  if (problem) {
    const isNode = problem.reason === 'interpreter-missing'
    const hint = isNode
      ? nodeHint
      : 'look at `environment` of the profile: its modules and setup lines run before every call'
    const code = isNode ? 'INTERPRETER_MISSING' : 'JOB_FAILED'
    return trouble('compute-node', 'failed', problem.message, hint, { code, facts })
  }
  if (!need)
    return ok('compute-node', `${node.version} at ${node.path}${shownFrom(node.from)} ${where}`, facts)
  const asked = parseNodeSetting(setting)
  const versions = asked && 'versions' in asked ? asked.versions : anyNode
  const isAsked = asked?.kind === 'version'
  try {
    const name = requirePlatform({ platform: need.platform, versions, isAsked, unfit: [] })
    return ok(
      'compute-node',
      `no ${describeVersions(versions)} ${where}: farcall sends one (${name}) with the first call`,
      { ...facts, missed: need.missed, sends: name },
    )
  } catch (error) {
    return failure('compute-node', error, nodeHint, { ...facts, missed: need.missed })
  }
}

const shownFrom = (from: string) =>
  from === 'runtime'
    ? ', which farcall has sent'
    : from.startsWith('module:')
      ? `, of module ${from.slice(7)},`
      : ''

function judgeFolder({ thereAndBack }: JobAnswer, { host }: NodeReport, workdir: string): Step {
  const facts = { workdir, host, thereAndBackSeconds: thereAndBack }
  if (thereAndBack === undefined)
    return trouble(
      'shared-folder',
      'slow',
      `${host} sees ${workdir}, but not within 30 s what is new in it`,
      'results will be late, and calls wait for them; another file system ($SCRATCH) may be quicker for the `workdir`',
      { facts },
    )
  const found = `${host} sees ${workdir}; there and back takes ${span(thereAndBack)}`
  if (thereAndBack < slowFolderSeconds) return ok('shared-folder', found, facts)
  return trouble(
    'shared-folder',
    'slow',
    found,
    'every result is that late: another file system ($SCRATCH) may be quicker for the `workdir`',
    { facts },
  )
}
