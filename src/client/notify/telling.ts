import type { JobNotification, NotifyEndpoint, NotifyOptions } from '../../core/notification.ts'
import { thisProcess } from '../../store/owner.ts'
import type { ClusterOptions } from '../options/options.ts'
import type { Settings } from '../options/settings.ts'
import { type Recorder, recorderOf } from '../submission/recorder.ts'
import type { Submission } from '../submission/submission.ts'
import { type Target, targetsOf } from './endpoints.ts'
import { deliver, type Ledger, warnOfNotify } from './outbox.ts'

/** Who is told of a job. */
export interface Telling {
  /** The profile's name. */
  readonly profile: string
  readonly callbacks: Omit<NotifyOptions, 'notify'>
  readonly targets: readonly Target[]
  /** Where it is noted who was told; absent where there are only callbacks, which are this process's own. */
  readonly recorder?: Recorder
}

/**
 * Finds out who is told of a job: what the call says wins over the profile, one by one.
 * @throws ConfigError TEMPLATE_INVALID
 */
export async function prepareTelling(
  submission: Submission,
  { name, storeDir, notify: configured }: Pick<Settings, 'name' | 'storeDir' | 'notify'>,
  { notify, onSubmit, onStart, onComplete, onFail, onCancel }: ClusterOptions,
): Promise<void> {
  const own = { notify, onSubmit, onStart, onComplete, onFail, onCancel }
  const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined))
  const { notify: endpoints = [], ...callbacks }: NotifyOptions = { ...configured, ...said }
  const targets = endpoints.length === 0 ? [] : await readyTargets(endpoints)
  if (targets.length === 0 && Object.keys(callbacks).length === 0) return
  const recorder = targets.length > 0 ? { recorder: recorderOf(storeDir) } : {}
  submission.telling = { profile: name, callbacks, targets, ...recorder }
}

const ready = new Map<string, Promise<Target[]>>()
const warned = new Set<string>()

/** The same again while endpoints and their variables are. @throws ConfigError TEMPLATE_INVALID */
export function readyTargets(endpoints: readonly NotifyEndpoint[]): Promise<Target[]> {
  const values = JSON.stringify(endpoints, (key, value) =>
    key === 'env' ? [value, process.env[value]] : value,
  )
  let targets = ready.get(values)
  if (!targets) {
    targets = targetsOf(endpoints, process.env, (name, why) => {
      const text = `${name} is told of no job: ${why}`
      if (!warned.has(text)) warnOfNotify(text)
      warned.add(text)
    })
    ready.set(values, targets)
  }
  return targets
}

const callbackOf = {
  submit: 'onSubmit',
  start: 'onStart',
  complete: 'onComplete',
  fail: 'onFail',
  cancel: 'onCancel',
} as const

/** Tells all of them; returns at once. Whatever goes wrong there is a warning. */
export function tell({ callbacks, targets, recorder }: Telling, notification: JobNotification): void {
  const name = callbackOf[notification.event]
  const failed = (error: unknown) => warnOfNotify(`${name} of job ${notification.id} threw: ${String(error)}`)
  // Not in the midst of what is just being done about the job.
  void Promise.resolve()
    .then(() => callbacks[name]?.(notification))
    .catch(failed)
  deliver(notification, targets, recorder && ledgerOf(recorder, notification.id))
}

function ledgerOf(recorder: Recorder, id: string): Ledger {
  return {
    claim(notice) {
      try {
        return recorder.store.claimNotice(id, notice, thisProcess())
      } catch {
        // A full disk, which the recorder tells of: better told twice than not at all.
        return true
      }
    },
    told(notice) {
      recorder.later((store) => store.told(id, notice))
      // A process that dies before it is written down has another one tell it again.
      recorder.flush()
    },
    release: (notice) => recorder.later((store) => store.unclaimNotice(id, notice)),
  }
}
