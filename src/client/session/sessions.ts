/** The sessions of this process: one for each place, until nobody needs it. */
import { homedir } from 'node:os'
import { trimDaily } from '../../capture/trim.ts'
import { cacheFolder } from '../../config/cache-folder.ts'
import { systemClock } from '../../core/clock.ts'
import type { Profile } from '../../core/profile.ts'
import { openExecutor } from '../../executor/open.ts'
import { trimArchives } from '../../packages/cache.ts'
import { endNotices, whenTold } from '../notify/outbox.ts'
import { trimShared } from '../payload/shared-files.ts'
import { flushRecords, trimRecords } from '../submission/recorder.ts'
import { Session } from './session.ts'

const sessions = new Map<string, Session>()

/** The session of a profile; made when first asked for. @internal */
export async function sessionFor(profile: Profile): Promise<Session> {
  const key = JSON.stringify(profile)
  let session = sessions.get(key)
  if (!session) {
    session = new Session(profile, openExecutor(profile, systemClock, cacheFolder(process.env, homedir())))
    sessions.set(key, session)
    if (sessions.size === 1) process.on('beforeExit', closeSessions)
  }
  return session
}

/** Closes the connection of a session that nobody uses any more. @internal */
export async function leaveSession(session: Session): Promise<void> {
  session.guests--
  const [key] = [...sessions].find(([, one]) => one === session) ?? []
  if (key === undefined || !session.idle) return
  sessions.delete(key)
  await session.close()
}

/**
 * Closes every connection of this process. Jobs go on; what still awaits one rejects with a TransportError
 * CONNECTION_LOST. The ends of what was canceled are waited for, up to 5 s, so that nothing of it stays; so are notifications that are on their way.
 * A program that
 * ends by itself need not call it.
 *
 * @example
 * import { close, cluster } from 'farcall'
 *
 * console.log(await cluster((n: number) => n * n)(6))
 * await close()
 */
export async function closeSessions(): Promise<void> {
  process.off('beforeExit', closeSessions)
  const open = [...sessions.values()]
  sessions.clear()
  // What has just ended is told with what it used, which its connection brings.
  await whenTold()
  if (open.length > 0) {
    const cacheDir = cacheFolder(process.env, homedir())
    trimDaily(cacheDir)
    trimArchives(cacheDir, Date.now())
    trimShared(cacheDir, Date.now())
  }
  // Each is closed, whatever becomes of the others.
  const closed = await Promise.allSettled(open.map((session) => session.closeNow()))
  await endNotices()
  flushRecords()
  if (open.length > 0) trimRecords()
  for (const result of closed) if (result.status === 'rejected') throw result.reason
}
