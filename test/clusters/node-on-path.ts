import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './processes.ts'

/**
 * A PATH on which an account finds the `node` that runs the tests. Where that lies in a folder that the account cannot
 * enter (below /root, say), it is a copy in `folder`.
 */
export async function pathWithNode(folder: string, account: { uid: number; gid: number }): Promise<string> {
  const bin = join(folder, 'bin')
  const node = join(bin, 'node')
  mkdirSync(bin, { recursive: true })
  chmodSync(bin, 0o755)
  symlinkSync(process.execPath, node)
  const as = process.getuid?.() === 0 ? { uid: account.uid, gid: account.gid } : {}
  try {
    await run(node, ['--version'], { ...as, cwd: '/' })
  } catch {
    rmSync(node)
    copyFileSync(process.execPath, node)
    chmodSync(node, 0o755)
    await run(node, ['--version'], { ...as, cwd: '/' })
  }
  return `${bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`
}
