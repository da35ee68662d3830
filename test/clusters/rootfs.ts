import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { removeFolder } from '../remove-folder.ts'
import { run } from './processes.ts'
import { startSshd } from './sshd.ts'
import { changeAccounts } from './user.ts'

/** A machine that has a shell and coreutils, busybox's, and beside them a C library alone. */
export interface Rootfs {
  /** Its root, on this machine. */
  readonly folder: string
  readonly sshd: Awaited<ReturnType<typeof startSshd>>
  /** Takes libraries away. */
  hide(library: RegExp): void
  /** A program in its PATH, a script of sh. */
  put(name: string, script: string): void
  /** The work folder of profiles, as this machine sees it. */
  readonly workdir: string
  stop(): Promise<void>
}

/** Root only. sshd wants all folders above to belong to root and to nobody else, so it is not in /tmp. */
export async function startRootfs(libc: 'glibc' | 'musl'): Promise<Rootfs> {
  const folder = mkdtempSync('/var/lib/farcall-root-')
  const at = (path: string) => join(folder, path)
  for (const path of ['bin', 'usr/bin', 'lib', 'lib64', 'dev', 'proc', 'etc', 'scratch'])
    mkdirSync(at(path), { recursive: true })
  mkdirSync(at('tmp'))
  for (const path of ['', 'bin', 'lib', 'lib64', 'dev', 'etc']) chmodSync(at(path), 0o755)
  chmodSync(at('tmp'), 0o1777)
  const copy = (file: string) => {
    mkdirSync(dirname(at(file)), { recursive: true })
    copyFileSync(file, at(file))
  }
  copy('/bin/busybox')
  const { stdout: applets } = await run('/bin/busybox', ['--list'])
  for (const name of applets.split('\n').filter((name) => name !== '' && name !== 'busybox'))
    symlinkSync('busybox', at(`bin/${name}`))
  await run('mknod', ['-m', '666', at('dev/null'), 'c', '1', '3'])
  await run('mknod', ['-m', '666', at('dev/urandom'), 'c', '1', '9'])
  if (libc === 'musl') copy('/lib/ld-musl-x86_64.so.1')
  else {
    const { stdout } = await run('ldd', [process.execPath])
    for (const [library] of stdout.matchAll(/\/\S+(?= \()/g)) copy(library)
  }
  const sshd = await startSshd({ root: folder, env: { PATH: '/bin:/usr/bin' } })
  await changeAccounts(['usermod', '-s', '/bin/sh', sshd.user])
  const { stdout: owner } = await run('id', ['-u', sshd.user])
  chownSync(at('scratch'), Number(owner), Number(owner))
  chmodSync(at('scratch'), 0o700)
  return {
    folder,
    sshd,
    workdir: at('scratch'),
    hide: (library) => {
      for (const path of readdirSync(at('lib'), { recursive: true, encoding: 'utf8' }))
        if (library.test(basename(path))) rmSync(at(join('lib', path)))
    },
    put: (name, script) => writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 }),
    stop: async () => {
      await sshd.stop()
      removeFolder(folder)
    },
  }
}
