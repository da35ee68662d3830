import type { JobSpec } from '../../core/protocol.ts'
import { isFinal, type JobStatus, mayFollow } from '../../core/status.ts'
import type { Pod } from './objects.ts'
import { lanesOf } from './plan.ts'

/** What is remembered of one submission while it is followed. */
export class TrackedJob {
  readonly spec: JobSpec
  /** The Job's name. */
  readonly name: string
  readonly mark: string
  /** Which lane each pod was given. A pod that is not here has taken another one's place, and runs nothing. */
  readonly claims: ReadonlyMap<string, number>
  readonly lanes: readonly (readonly number[])[]
  readonly ended = new Set<number>()
  /** Pods of lanes, as last seen. */
  readonly pods = new Map<number, Pod>()
  /** Lanes whose end is being told. */
  readonly concluding = new Set<number>()
  /** Members whose results are here. */
  readonly delivered = new Set<number>()
  /** Lanes whose pods were told that they need not wait any longer. */
  readonly leaving = new Set<number>()
  /** Members whose end is being told while others of their lane go on. */
  readonly telling = new Set<number>()
  /** Of members the last report of how far they are that was told, by its number. */
  readonly heard = new Map<number, number>()
  /** What items of streams were heard to have yielded, by `member.item`. */
  readonly yielded = new Map<string, { readonly sequence: number; readonly bytes: number }>()
  /** Lanes whose values are listened to. */
  readonly streaming = new Set<number>()
  /** Lanes whose keepers are listened to. */
  readonly listening = new Set<number>()
  /** Lanes that could not start, and since when, milliseconds. */
  readonly stuckSince = new Map<number, number>()
  /** Pods that are sent to. */
  readonly sending = new Set<string>()
  /** Aborts when all its members are over: nobody waits for anything of it. */
  readonly finished = new AbortController()
  /** Aborts when it is not followed any more, over or not. */
  readonly released = new AbortController()
  canceled = false
  /** Those that were canceled while others went on. */
  readonly canceledMembers = new Set<number>()
  /** The deleting of lanes' pods for that, and the ending of members within theirs. */
  readonly removing = new Map<number, Promise<void>>()
  readonly endingMembers = new Map<number, Promise<void>>()
  status: JobStatus = { state: 'QUEUED' }
  readonly #members = new Map<number, JobStatus>()

  constructor(spec: JobSpec, name: string, mark: string, lanes: number, claims: ReadonlyMap<string, number>) {
    this.spec = spec
    this.name = name
    this.mark = mark
    this.claims = claims
    this.lanes = lanesOf(spec, lanes)
  }

  get over(): boolean {
    return this.ended.size === (this.spec.only?.length ?? this.spec.members)
  }

  isCanceled(member: number): boolean {
    return this.canceled || this.canceledMembers.has(member)
  }

  laneOf(member: number): number {
    return this.lanes.findIndex((members) => members.includes(member))
  }

  has(member: number): boolean {
    return this.laneOf(member) >= 0
  }

  open(lane: number): number[] {
    return this.lanes[lane]!.filter((member) => !this.ended.has(member))
  }

  /** What is news: of single members of an array, and of the job as a whole. */
  advance(lane: number, status: JobStatus): [member: number | undefined, status: JobStatus][] {
    const changes: [number | undefined, JobStatus][] = []
    if (
      mayFollow(status, this.status) &&
      !isFinal(status.state) &&
      (this.lanes.length === 1 || status.state === 'ACTIVE')
    ) {
      this.status = status
      changes.push([undefined, status])
    }
    if (this.spec.members === 1) return changes
    // Of a lane the first open member is the one that runs.
    const members = status.state === 'ACTIVE' ? this.open(lane).slice(0, 1) : this.open(lane)
    for (const member of members) {
      if (!mayFollow(status, this.#members.get(member) ?? { state: 'QUEUED' })) continue
      this.#members.set(member, status)
      changes.push([member, status])
    }
    return changes
  }
}
