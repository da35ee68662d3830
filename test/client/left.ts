import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, inject } from 'vitest'
import { cacheFolder } from '../../src/config/cache-folder.ts'
import { FarcallError, type Profile } from '../../src/index.ts'
import { descendants, processesWhere } from '../clusters/processes.ts'
import type { Sshd } from '../clusters/sshd.ts'
import { root } from './helpers.ts'

export interface Expected {
  /** The error's class. */
  name: string
  code: string
  message: RegExp
  hint?: RegExp
}

/** What somebody catches who waits for it: of ours, with a code, words, a way out, and a page that explains it. */
export async function failure(promise: PromiseLike<unknown>, expected: Expected): Promise<FarcallError> {
  const error = await promise.then(
    (value) => expect.fail(`it gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  return check(error, expected)
}

/** The same for what is thrown at once. */
export function thrown(work: () => unknown, expected: Expected): FarcallError {
  let error: unknown
  try {
    work()
  } catch (reason) {
    error = reason
  }
  return check(error, expected)
}

function check(error: unknown, { name, code, message, hint }: Expected): FarcallError {
  if (!(error instanceof FarcallError)) throw error ?? new Error('nothing was thrown')
  expect({ name: error.name, code: error.code, message: error.message }).toEqual({
    name,
    code,
    message: expect.stringMatching(message),
  })
  if (hint) expect(error.hint).toMatch(hint)
  expect(existsSync(join(root, error.docs)), `${error.docs} explains it`).toBe(true)
  return error
}

/** What was learned of limits here is not to be known to the tests that follow. */
export function forgetLimits(): void {
  rmSync(join(cacheFolder(process.env, homedir()), 'limits'), { recursive: true, force: true })
}

/** What lies in a work folder beside blobs, which are meant to stay. */
export function left(workdir: string): string[] {
  const inside = (folder: string) =>
    existsSync(join(workdir, folder)) ? readdirSync(join(workdir, folder)) : []
  return [
    ...inside('jobs').map((name) => `jobs/${name}`),
    ...inside('inbox').map((name) => `inbox/${name}`),
    ...inside('blobs').filter((name) => name.startsWith('.')),
    ...inside('.').filter((name) => name.startsWith('.')),
  ]
}

/** Processes of jobs, by the work folder in their command line. */
export function jobProcesses(workdir: string): number[] {
  return processesWhere((argv) => argv.includes(workdir))
}

/** Connections that a server has open. */
export function openConnections(sshd: Pick<Sshd, 'pid'>): number {
  return descendants([sshd.pid]).length
}

/** The run's login node, as a profile. */
export function loginProfile(over: Partial<Profile> = {}): Profile {
  const { host, port, user, identityFile, knownHosts } = inject('sshd')
  return { scheduler: 'direct', host, port, user, identityFile, knownHosts, queryInterval: '1s', ...over }
}

/** A command of the user's on the login node, outside of farcall. */
export function onLogin(
  {
    host,
    port,
    user,
    identityFile,
    knownHosts,
  }: Pick<Sshd, 'host' | 'port' | 'user' | 'identityFile' | 'knownHosts'>,
  command: string,
): string {
  const options = ['-o', 'IdentitiesOnly=yes', '-o', `UserKnownHostsFile=${knownHosts}`]
  const to = ['-F', 'none', '-p', String(port), '-i', identityFile, ...options, `${user}@${host}`]
  return execFileSync('ssh', [...to, command], { encoding: 'utf8' })
}

/** What a job's folder holds. */
export function jobFile(workdir: string, id: string, name: string): string {
  return readFileSync(join(workdir, 'jobs', id, name), 'utf8')
}
