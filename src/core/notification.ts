import type { JobReason, JobState } from './status.ts'

/**
 * What happened to a job, as callbacks and endpoints are told of it. Of an array there is one for all of it, not one for
 * each item; calls that travel together are an array. Times are milliseconds since the epoch.
 *
 * @example
 * import { cluster, type JobNotification } from 'farcall'
 *
 * const say = ({ id, name, state, reason }: JobNotification) => console.log(id, name, state, reason ?? '')
 * const square = cluster({ onStart: say, onComplete: say, onFail: say }, (n: number) => n * n)
 * console.log(await square(6))
 */
export interface JobNotification {
  readonly event: 'submit' | 'start' | 'complete' | 'fail' | 'cancel'
  /** Ours; of a map, the map's. What `attach` takes. */
  readonly id: string
  /** The scheduler's, where there is one; of a map of several submissions, the first one's. */
  readonly nativeId?: string
  readonly name: string
  readonly function: string
  /** The profile's name. */
  readonly profile: string
  readonly state: JobState
  readonly reason?: JobReason
  /** Of a failure the first line of the error; else why the job is in its state, where there is something to say. */
  readonly message?: string
  /** From 1. Of an array it counts `retryFailed()`, and not what `retry` does for single items. */
  readonly attempt: number
  readonly time: number
  readonly submittedAt?: number
  readonly startedAt?: number
  readonly endedAt?: number
  /** Of an array: all items, those that completed, and those that failed or were canceled. */
  readonly items?: { readonly total: number; readonly done: number; readonly failed: number }
  /** Once it has ended, as far as that is known then; of an array the most that one member used. Bytes and seconds. */
  readonly usage?: { readonly memory?: number; readonly time?: number; readonly cpu?: number }
}

/** What there is to say of a place: resources that came free, or a report that was due. */
export interface PlaceNotification {
  readonly event: 'resources' | 'report'
  /** The profile's name. */
  readonly profile: string
  readonly time: number
  /** What a person reads; may have several lines. */
  readonly text: string
  /** The same for programs; JSON. */
  readonly facts: object
}

export type Notification = JobNotification | PlaceNotification

/** A value that stands in an environment variable of this program. */
export interface FromEnvironment {
  readonly env: string
}

/** Which events an endpoint is told of. Default: 'terminal'. */
export type NotifyOn = 'terminal' | 'running-and-terminal' | 'all' | readonly NotifyState[]
/** States that somebody can be told of. */
export type NotifyState = Exclude<JobState, 'NEW'>

interface Endpoint {
  readonly on?: NotifyOn
}

/** An incoming webhook of Slack. Its URL is a secret, and named by its variable. */
export interface SlackEndpoint extends Endpoint {
  readonly type: 'slack'
  readonly url: FromEnvironment
  /** The message's text, in LiquidJS; values are escaped for Slack. */
  readonly template?: string
}

/** Any server that takes a request. */
export interface WebhookEndpoint extends Endpoint {
  readonly type: 'webhook'
  /** https, or http to this machine. One that holds a secret is named by its variable. */
  readonly url: string | FromEnvironment
  readonly method?: 'POST' | 'PUT' | 'PATCH'
  readonly headers?: Readonly<Record<string, string | FromEnvironment>>
  /** The body, in LiquidJS; default: the notification as JSON. */
  readonly template?: string
  /** Takes http to other machines, too: whoever is on the way can read it. */
  readonly insecure?: boolean
}

/** The scheduler's own e-mail: `mailUser` and `mailType` of the job. */
export interface EmailEndpoint extends Endpoint {
  readonly type: 'email'
  readonly to: string
}

/** Who is told of jobs: Slack, any server, or an address by the scheduler's e-mail. */
export type NotifyEndpoint = SlackEndpoint | WebhookEndpoint | EmailEndpoint

type JobCallback = (notification: JobNotification) => unknown

/** Who is told what becomes of a job. What a callback throws is a warning of the process, and fails no job. */
export interface NotifyOptions {
  /** Servers and addresses that are told; replaces what the profile says, [] tells none. */
  readonly notify?: readonly NotifyEndpoint[]
  /** The scheduler has it; again with `reason: 'requeued'` when a single call is to be tried once more. */
  readonly onSubmit?: JobCallback
  /** It runs; of an array, the first of its members. */
  readonly onStart?: JobCallback
  /** It has ended, and nothing of it failed. */
  readonly onComplete?: JobCallback
  /** It has ended, and something of it failed for good. */
  readonly onFail?: JobCallback
  /** It has ended, something of it was canceled, and nothing failed. */
  readonly onCancel?: JobCallback
}

export const callbackNames = ['onSubmit', 'onStart', 'onComplete', 'onFail', 'onCancel'] as const
export const notifyNames = ['notify', ...callbackNames] as const satisfies readonly (keyof NotifyOptions)[]
