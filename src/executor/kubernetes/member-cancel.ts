/** Ends members while others of their job go on: a pod is deleted when nothing else runs in it, else the member alone is ended there. */
import pLimit from 'p-limit'
import type { KubernetesSettings } from '../../core/kubernetes-settings.ts'
import { paths } from '../../core/protocol.ts'
import { parseDuration } from '../../core/units.ts'
import { type Api, ApiError, explained } from './api.ts'
import { execIn } from './exec.ts'
import { annotations, containers, podPath, podPaths } from './names.ts'
import type { Pod } from './objects.ts'
import type { Persist } from './persistence.ts'
import { viewOf } from './pod-status.ts'
import { patchJob } from './submission.ts'
import type { TrackedJob } from './tracked-job.ts'

/**
 * Ends one member of several that a pod runs one after the other. $1 workdir, $2 its run's folder in that, $3 the member,
 * $4 seconds from SIGTERM to SIGKILL. What has not begun never does; main.sh looks after it has said what it runs.
 */
const endMember = `cd -- "$1" || exit
mkdir -p canceled && : >"canceled/$3" || exit
[ ! -d "$2" ] || : >"$2/canceled"
now() { read -r member pid <running && [ "$member" = "$1" ]; }
now "$3" 2>/dev/null || exit 0
kill -TERM "$pid" 2>/dev/null
(
  left=$4 its=$pid
  while [ "$left" -gt 0 ] && now "$3" && [ "$pid" = "$its" ]; do sleep 1; left=$((left - 1)); done
  now "$3" && [ "$pid" = "$its" ] || exit
  # All below the member's shell, which says how it ended.
  sed -n 's/^\\([0-9]*\\) (.*) [A-Za-z] \\([0-9]*\\) .*/\\1 \\2/p' /proc/[0-9]*/stat | awk -v root="$its" '
    { parent[$1] = $2 }
    END { for (one in parent) { up = parent[one]; while (up > 1 && up != root) up = parent[up]; if (up == root) print one } }' |
    while read -r one; do kill -KILL "$one"; done
) </dev/null >/dev/null 2>&1 &
exit 0`

export class MemberCancel {
  readonly #api: Api
  readonly #graceSeconds: number
  readonly #persist: Persist
  readonly #limit = pLimit(8)

  constructor(api: Api, { gracePeriod = '30s' }: KubernetesSettings, persist: Persist) {
    this.#api = api
    this.#graceSeconds = Math.ceil(parseDuration(gracePeriod, 'kubernetes.gracePeriod'))
    this.#persist = persist
  }

  /** Some of those that have not ended. */
  async cancel(job: TrackedJob, members: readonly number[]): Promise<void> {
    for (const member of members) job.canceledMembers.add(member)
    // First, so that whoever else follows the job knows why their pods go.
    const notes = Object.fromEntries(members.map((member) => [annotations.canceledMember(member), 'by-user']))
    await this.#persist(() => patchJob(this.#api, job.name, { metadata: { annotations: notes } }))
    const lanes = new Set(members.map((member) => job.laneOf(member)))
    await Promise.all([...lanes].map((lane) => this.apply(job, lane)))
  }

  /** What can be done as the pod is now; it is asked again when that changes. */
  async apply(job: TrackedJob, lane: number): Promise<void> {
    const pod = job.pods.get(lane)
    const open = job.open(lane)
    const canceled = open.filter((member) => job.canceledMembers.has(member))
    if (!pod || canceled.length === 0) return
    if (canceled.length === open.length) {
      // Whoever asks again waits for the same: a program that cancels and ends must not leave it half done.
      await this.#once(job.removing, lane, () => this.#remove(pod))
      return
    }
    const { status, over } = viewOf(pod)
    if (over || status.state !== 'ACTIVE') return
    const end = (member: number) => this.#once(job.endingMembers, member, () => this.#end(job, member, pod))
    await Promise.all(canceled.map(end))
  }

  /** Begun anew only after a failure. */
  #once(begun: Map<number, Promise<void>>, key: number, work: () => Promise<void>): Promise<void> {
    const before = begun.get(key)
    if (before) return before
    const now = this.#limit(() => this.#persist(work)).catch((error: unknown) => {
      begun.delete(key)
      throw error
    })
    begun.set(key, now)
    return now
  }

  async #remove({ metadata: { name, uid } }: Pod): Promise<void> {
    // That one: by its name another one may be there by now.
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid } }
    try {
      await this.#api.ask('DELETE', podPath(this.#api.access.namespace, name), { body })
    } catch (error) {
      // It is gone, as it should.
      if (error instanceof ApiError && (error.status.code === 404 || error.status.code === 409)) return
      throw explained(error, `removing pod ${name}`)
    }
  }

  async #end({ spec }: TrackedJob, member: number, pod: Pod): Promise<void> {
    const { namespace } = this.#api.access
    const target = { namespace, pod: pod.metadata.name, container: containers.main }
    const run = paths.run(spec.id, spec.attempt, member)
    const args = [podPaths.workdir, run, String(member), String(this.#graceSeconds)]
    try {
      await execIn(this.#api, target, ['sh', '-c', endMember, 'farcall', ...args])
    } catch (error) {
      // The container is over, and the member with it.
      if (!(error instanceof ApiError)) throw error
    }
  }
}
