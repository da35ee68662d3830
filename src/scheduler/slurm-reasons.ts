import { describeParents, type ParentJob } from '../core/protocol.ts'
import type { ResolvedResources } from '../core/resources.ts'
import { formatMemory, formatSeconds } from '../core/units.ts'
import type { Waiting } from './scheduler.ts'
import { explainLimit } from './slurm-limits.ts'

const askSite = 'ask your site'
const release = '`scontrol release` by whoever may lets it go on'

/**
 * Why a job is pending, or was ended without having run: Slurm's word and ours for it.
 * https://slurm.schedmd.com/job_reason_codes.html; limits are in slurm-limits.ts.
 */
const reasons: Record<
  string,
  string | ((asked: ResolvedResources, parents?: readonly ParentJob[]) => string)
> = {
  Priority: 'other jobs of the partition come first',
  Resources: (asked) => `waiting for ${describeAsked(asked)} to become free`,
  Dependency: ({ dependency }, parents = []) => {
    const own = dependency === undefined ? '' : ` (${[dependency].flat().join(',')})`
    const values = describeParents(parents)
    if (values === undefined) return `waiting for the jobs that it depends on${own} to end as asked`
    return dependency === undefined ? values : `${values}, and for what it depends on${own}`
  },
  BeginTime: 'waiting for its begin time; a requeued job has one too, about two minutes on',
  SchedDefer: 'the scheduler is about to look at it',
  JobArrayTaskLimit: 'as many tasks of the array run as it allows at once (`concurrency`)',
  JobHeldUser: 'held by you; `scontrol release` lets it go on',
  JobHeldAdmin: `held by an administrator; ${askSite}`,
  JobHoldMaxRequeue: `held, since it was requeued too often; ${release}`,
  Licenses: ({ licenses }) =>
    `waiting for licenses${licenses === undefined ? '' : ` (${[licenses].flat().join(',')})`} to become free`,
  Reservation: 'waiting for its reservation to begin',
  ReservationDeleted: 'its reservation was deleted; cancel it, and submit it without resources.reservation',
  ReqNodeNotAvail:
    'nodes that it needs are down, drained or reserved (for maintenance, mostly); a shorter time may fit in before that',
  PartitionDown: `its partition starts no jobs now; wait, or use another resources.partition`,
  PartitionInactive: `its partition takes no jobs now; wait, or use another resources.partition`,
  PartitionConfig:
    'it asks for more than its partition has, or for what that does not allow; cancel it, and ask for less, or change resources.partition',
  PartitionNodeLimit:
    'it asks for more nodes than its partition allows or has up; ask for less, or use another resources.partition',
  PartitionTimeLimit: ({ timeSeconds }) =>
    `its time${timeSeconds === undefined ? '' : ` of ${formatSeconds(timeSeconds)}`} is over the limit of its partition; unless that is raised it will not start: cancel it, and lower resources.time`,
  BadConstraints: 'no node can give what it asks for; cancel it, and change resources',
  DependencyNeverSatisfied: 'a job that it depends on did not end as asked, so it will never start',
  DeadLine: 'its deadline cannot be met',
  Deadline: 'its deadline cannot be met',
  InvalidAccount: 'its account is not valid; cancel it, and change resources.account',
  InvalidQOS: 'its QOS is not valid; cancel it, and change resources.qos',
  AccountNotAllowed: 'its account may not use the partition; change resources.account or resources.partition',
  QOSNotAllowed: 'its QOS may not be used with this account or partition; change resources.qos',
  QOSUsageThreshold: 'your recent use is over what its QOS allows; it waits until that has decayed',
  AccountingPolicy: 'a limit of your account or QOS is reached',
  MaxMemPerLimit: 'it asks for more memory for a core or node than is allowed; lower resources.memory',
  Prolog: "the site's preparations (prolog) are running",
  Cleaning: 'it was requeued, and what it left is being cleaned up',
  NodeDown: 'a node that it needs is down',
  FrontEndDown: 'no front end node is up',
  SystemFailure: `something of Slurm itself, a file system or a node failed; ${askSite}`,
  JobLaunchFailure: 'it could not be started: mostly its log or working folder cannot be opened on the node',
  NonZeroExitCode: 'it ended with an exit code other than 0',
  OutOfMemory: 'it used more memory than it was granted',
  TimeLimit: 'its time was over',
  BlockMaxError: `the machine's hardware blocks fail; ${askSite}`,
  BlockFreeAction: 'hardware is being freed',
  BurstBufferResources: 'waiting for burst buffer space',
  BurstBufferStageIn: 'its files are being copied to the burst buffer',
  BurstBufferOperation: `an operation of its burst buffer failed; ${askSite}`,
  PowerNotAvail: 'waiting until there is enough power for it',
  PowerReserved: 'waiting until there is enough power for it',
  FedJobLock: 'clusters of the federation are agreeing on who runs it',
}

/** Slurm's pending reason in plain words; undefined for one that is not known. */
export function explainWaiting(
  reason: string,
  asked: ResolvedResources,
  parents: readonly ParentJob[] = [],
): Waiting | undefined {
  // 'ReqNodeNotAvail, UnavailableNodes:n[1-2]', 'launch failed requeued held', '(Resources)'
  const word = /^\(?(\w+)/.exec(reason)?.[1]
  if (word === undefined) return undefined
  const known = Object.hasOwn(reasons, word) ? reasons[word] : explainLimit(word)
  if (known === undefined) {
    if (/launch.failed.requeued.held/i.test(reason))
      return { words: `its node could not start it; ${release}` }
    if (/^Nodes.required.for.job.are/i.test(reason)) return explainWaiting('ReqNodeNotAvail', asked)
    return undefined
  }
  return {
    words: typeof known === 'string' ? known : known(asked, parents),
    // A limit may be raised, a node come back, a hold be lifted; this alone stays as it is.
    ...(word === 'DependencyNeverSatisfied' && { never: true }),
  }
}

/** '8 cores and 16 GB on each of 2 nodes' */
function describeAsked({ cores, memoryBytes, gpus, nodes, exclusive }: ResolvedResources): string {
  const parts = [
    ...(cores === undefined ? [] : [`${cores} core${cores === 1 ? '' : 's'}`]),
    ...(memoryBytes === undefined ? [] : [formatMemory(memoryBytes)]),
    ...(gpus === undefined ? [] : [`${gpus.count} GPU${gpus.count === 1 ? '' : 's'}`]),
  ]
  const last = parts.pop()
  const much = last === undefined ? undefined : parts.length === 0 ? last : `${parts.join(', ')} and ${last}`
  const kind = exclusive ? 'whole ' : ''
  if (nodes !== undefined) {
    const where = `${nodes} ${kind}node${nodes === 1 ? '' : 's'}`
    return much === undefined ? where : `${where} with ${much}`
  }
  if (exclusive) return much === undefined ? 'a whole node' : `a whole node with ${much}`
  return much ?? 'what it asks for'
}
