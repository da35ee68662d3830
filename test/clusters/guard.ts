import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { PlainUser } from './user.ts'

const script = fileURLToPath(new URL('guard.sh', import.meta.url))

/**
 * Watches over what a cluster leaves should this process end without stopping it, by a crash or SIGKILL too: a process of
 * its own waits at the other end of a pipe. Call what is returned once all is stopped.
 */
export function guard(folder: string, account?: PlainUser, nodes: readonly string[] = []): () => void {
  const made = account?.made ? [account.name, String(account.uid)] : ['', '']
  const child = spawn('bash', [script, folder, ...made, ...nodes], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  // The pipe must not keep this process alive; unref is there, though not in the type of a Writable.
  const pipe = child.stdin as typeof child.stdin & { unref(): void }
  pipe.unref()
  return () => {
    pipe.end('done\n')
  }
}
