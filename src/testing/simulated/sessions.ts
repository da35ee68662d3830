import { readdirSync, readFileSync } from 'node:fs'

interface Used {
  /** Resident. */
  bytes: number
  virtualBytes: number
  cpuSeconds: number
}

/** Memory and CPU time of all processes, by session: a job's own is that of its shell. */
export function readSessions(): Map<number, Used> {
  const sessions = new Map<number, Used>()
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    let stat: string
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    } catch {
      continue // it has ended meanwhile
    }
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const session = Number(fields[3])
    const used = sessions.get(session) ?? { bytes: 0, virtualBytes: 0, cpuSeconds: 0 }
    used.virtualBytes += Number(fields[20])
    used.bytes += Number(fields[21]) * 4096
    used.cpuSeconds += (Number(fields[11]) + Number(fields[12])) / 100
    sessions.set(session, used)
  }
  return sessions
}

export function signalSession(leader: number, signal: NodeJS.Signals, leaderOnly = false): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const session = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
      if (session === leader && (!leaderOnly || Number(pid) === leader)) process.kill(Number(pid), signal)
    } catch {
      // it has ended meanwhile
    }
  }
}
