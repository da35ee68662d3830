import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { daemonGroup } from '../daemons.ts'
import { descendants, isAlive, run, until } from '../processes.ts'

/**
 * A machine of its own, as far as processes, mounts and the network go: what runs on it, and what is mounted and wired
 * there, is gone with its first process.
 */
export interface Machine {
  readonly address: string
  /** A command's words, to run it there. */
  enter(...argv: string[]): string[]
}

export async function otherMachine(
  folder: string,
  id: string,
  daemons: ReturnType<typeof daemonGroup>,
): Promise<Machine> {
  const flags = [
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    '--propagation',
    'private',
  ]
  // Named for whoever clears up after a crash.
  const first = `mount --make-rshared / && echo up >${folder}/first && exec sleep 1000000000`
  const { pid } = daemons.start('first', 'unshare', [...flags, 'sh', '-c', first, folder])
  if (!(await until(() => existsSync(join(folder, 'first')), 30_000)))
    throw new Error('unshare made no machine')
  const inside = descendants([pid]).at(-1)!
  const subnet = `10.${64 + (Number.parseInt(id.slice(0, 2), 16) % 64)}.${Number.parseInt(id.slice(2, 4), 16)}`
  const enter = (...argv: string[]) => [
    'nsenter',
    '--target',
    String(inside),
    '--net',
    '--mount',
    '--pid',
    '--',
    ...argv,
  ]
  const there = (...argv: string[]) => run('nsenter', enter(...argv).slice(1))
  const host = `fk${id}`
  await run('ip', ['link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(inside)])
  await run('ip', ['addr', 'add', `${subnet}.1/30`, 'dev', host])
  await run('ip', ['link', 'set', host, 'up'])
  await there('ip', 'addr', 'add', `${subnet}.2/30`, 'dev', 'eth0')
  for (const device of ['eth0', 'lo']) await there('ip', 'link', 'set', device, 'up')
  await there('ip', 'route', 'add', 'default', 'via', `${subnet}.1`)
  return { address: `${subnet}.2`, enter }
}

const cgroups = '/sys/fs/cgroup'

/** Where the kubelet puts its pods: a group of this cluster's own in every hierarchy of version 1. */
export function makeCgroups(name: string): void {
  for (const controller of readdirSync(cgroups)) {
    if (controller === 'unified' || !existsSync(join(cgroups, controller, 'tasks'))) continue
    mkdirSync(join(cgroups, controller, name), { recursive: true })
    // Of a new group of cpuset nothing may run before these are set.
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (existsSync(join(cgroups, controller, file)) && controller.includes('cpuset'))
        writeFileSync(
          join(cgroups, controller, name, file),
          readFileSync(join(cgroups, controller, file), 'latin1'),
        )
  }
}

export async function removeCgroups(name: string): Promise<void> {
  const remove = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) remove(join(folder, entry.name))
    rmdirSync(folder)
  }
  for (const controller of readdirSync(cgroups)) {
    const folder = join(cgroups, controller, name)
    const gone = () => {
      try {
        if (existsSync(folder)) remove(folder)
        return true
      } catch {
        return false // busy until the kernel is done with the last process
      }
    }
    await until(gone, 20_000)
  }
}

/** What a kubelet sets on the machine that it is on, and how it was before. */
const settings = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops']

export function rememberSettings(): () => void {
  const before = settings.map(
    (name) => [`/proc/sys/${name}`, readFileSync(`/proc/sys/${name}`, 'latin1')] as const,
  )
  return () => {
    for (const [file, value] of before) if (readFileSync(file, 'latin1') !== value) writeFileSync(file, value)
  }
}

export { isAlive }
