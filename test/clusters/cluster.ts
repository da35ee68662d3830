import { appendFileSync, chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeFolder } from '../remove-folder.ts'
import { guard } from './guard.ts'
import { type Sge, type SgeOptions, startSge } from './sge.ts'
import { type Slurm, type SlurmOptions, startSlurm } from './slurm.ts'
import { type Sshd, startSshd } from './sshd.ts'
import { type PlainUser, plainUser } from './user.ts'

/** A Slurm, and the login node before it: `ssh user@host sbatch …` works, in login shells and in others. */
export interface SlurmWithLogin {
  readonly sshd: Sshd
  readonly slurm: Slurm
  stop(): Promise<void>
}

/** The same of a Grid Engine. */
export interface SgeWithLogin {
  readonly sshd: Sshd
  readonly sge: Sge
  stop(): Promise<void>
}

export async function startCluster(options: Omit<SlurmOptions, 'account'>): Promise<SlurmWithLogin> {
  const { scheduler, ...rest } = await withLogin((account) => startSlurm({ ...options, account }))
  return { slurm: scheduler, ...rest }
}

export async function startSgeCluster(options: Omit<SgeOptions, 'account'> = {}): Promise<SgeWithLogin> {
  const { scheduler, ...rest } = await withLogin((account) => startSge({ ...options, account }))
  return { sge: scheduler, ...rest }
}

interface Started {
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}

async function withLogin<T extends Started>(start: (account: PlainUser) => Promise<T>) {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-home-'))
  chmodSync(folder, 0o755)
  const account = await plainUser(join(folder, 'home'))
  const release = guard(folder, account)
  const end = async () => {
    await account.remove()
    removeFolder(folder)
    release()
  }
  const scheduler = await start(account).catch(async (error) => {
    await end()
    throw error
  })
  const sshd = await startSshd({ account, env: scheduler.env }).catch(async (error) => {
    await scheduler.stop()
    await end()
    throw error
  })
  // /etc/profile sets a PATH of its own in login shells
  const exports = Object.entries(scheduler.env).map(([name, value]) => `export ${name}='${value}'\n`)
  if (account.home.startsWith(folder)) appendFileSync(join(account.home, '.profile'), exports.join(''))
  const stop = async () => {
    await scheduler.stop()
    await sshd.stop()
    await end()
  }
  return { sshd, scheduler, stop }
}
