import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeFolder } from '../remove-folder.ts'
import { processesOf, run, stopProcesses } from './processes.ts'

/** A person with an account on the cluster. */
export interface PlainUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  /** Ends the user's processes and takes the account away, when it was made here. */
  remove(): Promise<void>
  /** Made here, and not an account that existed. */
  readonly made: boolean
}

/**
 * As root: a new account with its home in `home`, one for each cluster, so that clusters which are up at once share nothing;
 * or an account that exists, by its name. Else the user who runs the tests.
 */
export async function plainUser(home: string, name?: string): Promise<PlainUser> {
  const me = userInfo()
  if (process.getuid?.() !== 0) return existing(me.username, me.uid, me.gid, homedir())
  if (name !== undefined) {
    const entry = await passwdEntry(name)
    if (entry) return existing(name, entry.uid, entry.gid, entry.home)
  }
  const account = name ?? `farcall-${randomBytes(4).toString('hex')}`
  // '*' and not '!': without PAM sshd refuses an account that is locked.
  await changeAccounts(['useradd', '-m', '-d', home, '-s', '/bin/bash', '-p', '*', account])
  const entry = await passwdEntry(account)
  if (!entry) throw new Error(`useradd made no account ${account}`)
  const remove = async () => {
    await stopProcesses(processesOf(entry.uid), 500)
    await changeAccounts(['userdel', '-f', account])
    removeFolder(home)
  }
  return { name: account, ...entry, made: true, remove }
}

function existing(name: string, uid: number, gid: number, home: string): PlainUser {
  mkdirSync(home, { recursive: true })
  return { name, uid, gid, home, made: false, remove: async () => {} }
}

async function passwdEntry(name: string): Promise<{ uid: number; gid: number; home: string } | undefined> {
  try {
    const [, , uid, gid, , home] = (await run('getent', ['passwd', name])).stdout.trim().split(':')
    return { uid: Number(uid), gid: Number(gid), home: home ?? '' }
  } catch {
    return undefined // getent's way to say that there is none
  }
}

/** Gives an account that was made here a password. Root only. */
export async function setPassword(account: string, password: string): Promise<void> {
  const hash = (await run('openssl', ['passwd', '-6', password])).stdout.trim()
  await changeAccounts(['usermod', '-p', hash, account])
}

/** useradd and userdel take turns by lock files and give up at once; so ask again for a while. */
export async function changeAccounts([command, ...args]: readonly [string, ...string[]]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await run(command, args)
      return
    } catch (error) {
      const words = String((error as { stderr?: string }).stderr)
      if (!/cannot lock/.test(words) || attempt === 100) throw error
      await sleep(100)
    }
  }
}
