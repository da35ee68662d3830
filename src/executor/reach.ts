/** The way to a job that runs: a shell beside it, a port of its node. */
import type { JobId } from '../core/ids.ts'
import type { Profile } from '../core/profile.ts'
import { paths } from '../core/protocol.ts'
import { shellPath } from '../core/shell.ts'
import { findScheduler } from '../scheduler/all.ts'
import type { RunningJob, Scheduler } from '../scheduler/scheduler.ts'
import { openTransport } from '../transport/open.ts'
import type { Transport } from '../transport/transport.ts'
import { askQueue } from './batch/queue.ts'
import { requireLogin } from './login.ts'

/** A machine with a scheduler. */
export interface Site {
  readonly profile: Profile
  readonly scheduler: Scheduler
  readonly transport: Transport
}

/** Nothing is connected yet. @throws ConfigError */
export function openSite(profile: Profile): Site {
  requireLogin(profile)
  return { profile, scheduler: findScheduler(profile.scheduler), transport: openTransport(profile) }
}

/** Where a job runs now; undefined: it does not. */
export async function whereRuns(
  { transport, scheduler }: Site,
  nativeId: string,
  member: number | undefined,
): Promise<RunningJob | undefined> {
  if (!scheduler.attach) return undefined
  return scheduler.attach.parseWhere(await transport.exec(scheduler.attach.where(nativeId, member)))
}

/** Why a job does not run: it waits for something, in words; undefined: it is not in the queue. */
export async function whyWaiting(site: Site, nativeId: string): Promise<string | undefined> {
  const place = { ...site, workdir: '.' }
  const status = (await askQueue(place, [nativeId], 0)).snapshot.get(nativeId)?.status
  if (status === undefined) return undefined
  const { message = 'its turn has not come' } = status
  return site.scheduler.explainWaiting?.(message, {})?.words ?? message
}

/** A shell in the job's folder, or a command there, on the job's node. */
export function besideJob(
  { profile, scheduler }: Site,
  running: RunningJob,
  id: JobId,
  argv: readonly string[],
  terminal: boolean,
): readonly string[] {
  const folder = `${shellPath(profile.workdir ?? '$HOME/.farcall')}/${paths.job(id)}`
  // With its PATH and modules, as after a login; a shell that knows no -l is started without.
  const shell =
    'if [ $# -gt 0 ]; then exec "$@"; fi; case ${SHELL##*/} in bash|zsh|ksh|fish|dash) exec "$SHELL" -l ;; *) exec "${SHELL:-/bin/sh}" ;; esac'
  const inFolder = ['sh', '-c', `cd -- ${folder} 2>/dev/null; ${shell}`, 'sh', ...argv]
  return scheduler.attach?.beside?.(running, inFolder, terminal) ?? inFolder
}

/** What a machine finds at a port of another: 'open', 'closed', 'silent' (no answer), 'unknown' (it cannot tell). */
export type PortState = 'open' | 'closed' | 'silent' | 'unknown'

const portScript = `command -v bash >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1 || { echo unknown; exit 0; }
said=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1)
case $? in 0) echo open ;; 124) echo silent ;; *) case $said in *efused*) echo closed ;; *) echo silent ;; esac ;; esac`

/** Looks from where commands run. */
export async function portState({ transport }: Site, address: string, port: number): Promise<PortState> {
  const argv = ['sh', '-c', portScript, 'farcall', address, String(port)]
  const result = await transport.exec({ argv })
  const word = Buffer.from(result.stdout).toString('latin1').trim()
  return word === 'open' || word === 'closed' || word === 'silent' ? word : 'unknown'
}
