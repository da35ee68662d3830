import type { JobNotification, Notification, NotifyOn, NotifyState } from '../../core/notification.ts'
import { formatSeconds } from '../../core/units.ts'

const presets: Record<string, readonly NotifyState[]> = {
  terminal: ['COMPLETED', 'FAILED', 'CANCELED'],
  'running-and-terminal': ['ACTIVE', 'COMPLETED', 'FAILED', 'CANCELED'],
  all: ['QUEUED', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELED'],
}

export function statesOf(on: NotifyOn = 'terminal'): readonly NotifyState[] {
  return typeof on === 'string' ? presets[on]! : on
}

/** Whoever asked for a report, or for resources, asked for that one. */
export function isWanted(on: NotifyOn | undefined, notification: Notification): boolean {
  return !isOfJob(notification) || (statesOf(on) as readonly string[]).includes(notification.state)
}

export function isOfJob(notification: Notification): notification is JobNotification {
  return notification.event !== 'resources' && notification.event !== 'report'
}

/** The same for all who tell the same event of a job. */
export function eventKey({ id, attempt, event }: JobNotification): string {
  return `${id}:${attempt}:${event}`
}

/** What a person reads: "simulate on hpc: failed after 61 s (timeout): ran 61 of 60 s [job fabcdefghijklm, 4711]". */
export function textOf(notification: Notification): string {
  if (!isOfJob(notification)) return `${notification.profile}: ${notification.text}`
  const { name, profile, id, nativeId, items, attempt } = notification
  const what = items ? `${name}, ${items.total} items,` : name
  // That of a plain process is long, and nothing that a person knows it by.
  const native = nativeId === undefined || nativeId.length > 24 ? '' : `, ${nativeId}`
  const again = attempt > 1 ? `, attempt ${attempt}` : ''
  return `${what} on ${profile}: ${told(notification)} [job ${id}${native}${again}]`
}

function told({ event, reason, message, items, startedAt, endedAt }: JobNotification): string {
  const why = message === undefined ? '' : `: ${message}`
  const took =
    startedAt === undefined || endedAt === undefined
      ? ''
      : ` after ${formatSeconds(Math.max(0, endedAt - startedAt) / 1000)}`
  const share = items && items.failed > 0 ? `, ${items.failed} of ${items.total} items` : ''
  switch (event) {
    case 'submit':
      return reason === 'requeued' ? `is tried again${why}` : 'is submitted'
    case 'start':
      return 'runs'
    case 'complete':
      return `completed${took}`
    case 'fail':
      return `failed${took}${share}${reason === undefined ? '' : ` (${reason})`}${why}`
    case 'cancel':
      return `was canceled${took}${share}`
  }
}

/** https://docs.slack.dev/messaging/formatting-message-text/#escaping */
export function slackEscape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
