import { accessSync, constants, existsSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './processes.ts'

const hierarchies = ['memory', 'freezer', 'cpuacct'] as const

/** Whether Slurm can make cgroups of version 1 here, and so hold jobs to their memory. */
export function hasCgroupV1(): boolean {
  try {
    for (const name of hierarchies) accessSync(`/sys/fs/cgroup/${name}/tasks`, constants.W_OK)
    return process.getuid?.() === 0
  } catch {
    return false // another kind of cgroups, or none
  }
}

/** Removes what slurmd left: a folder for each node in each hierarchy, with those of users and jobs in it. */
export async function removeCgroups(nodes: readonly string[]): Promise<void> {
  const all = hierarchies.flatMap((name) => nodes.map((node) => `/sys/fs/cgroup/${name}/slurm_${node}`))
  for (const folder of all) {
    if (!(await until(() => isRemoved(folder), 20_000))) throw new Error(`${folder} stays in use`)
  }
}

function isRemoved(folder: string): boolean {
  try {
    if (existsSync(folder)) removeTree(folder)
    return true
  } catch (error) {
    // busy until the kernel is done with the last process
    if (['EBUSY', 'ENOTEMPTY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name))
  }
  rmdirSync(folder)
}
