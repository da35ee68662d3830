import { type PartitionCapacity, sumNodes } from '../core/capacity.ts'
import { FarcallError } from '../core/errors.ts'
import type { CommandResult } from '../core/shell.ts'

/**
 * What this machine has: cores that we may use and how many are busy, memory (of a container, what it is allowed), and of
 * GPUs which of them processes are on. https://docs.nvidia.com/deploy/nvidia-smi/
 */
export const capacityScript = `[ -r /proc/meminfo ] && [ -r /proc/loadavg ] || { echo 'direct needs Linux, with /proc' >&2; exit 127; }
printf 'name %s\\n' "$(uname -n)"
printf 'cores %s\\n' "$(nproc 2>/dev/null || grep -c '^processor' /proc/cpuinfo)"
printf 'load %s\\n' "$(cut -d ' ' -f 1 </proc/loadavg)"
grep -E '^(MemTotal|MemAvailable):' /proc/meminfo
for f in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory/memory.usage_in_bytes; do
  [ ! -r "$f" ] || printf 'cgroup %s %s\\n' "\${f##*/}" "$(cat "$f")"
done
command -v nvidia-smi >/dev/null 2>&1 || exit 0
nvidia-smi --query-gpu=uuid,name --format=csv,noheader 2>/dev/null | sed 's/^/gpu /'
nvidia-smi --query-compute-apps=gpu_uuid --format=csv,noheader 2>/dev/null | sed 's/^/busy /'
exit 0
`

/** Of capacityScript. Nothing is promised to jobs here: used is what is in use. */
export function parseCapacity(result: CommandResult): PartitionCapacity[] {
  if (result.exitCode !== 0)
    throw new FarcallError('COMMAND_FAILED', result.stderr.trim() || `looking at /proc: ${result.exitCode}`, {
      transient: result.exitCode !== 127,
    })
  const said = new TextDecoder().decode(result.stdout)
  const read = (pattern: RegExp) => Number(pattern.exec(said)?.[1] ?? Number.NaN)
  const cores = read(/^cores (\d+)$/m)
  const busy = Math.min(cores, Math.round(read(/^load ([\d.]+)$/m)))
  const physical = read(/^MemTotal:\s+(\d+) kB$/m) * 1024
  const available = read(/^MemAvailable:\s+(\d+) kB$/m) * 1024
  const allowed = read(/^cgroup (?:memory\.max|memory\.limit_in_bytes) (\d+)$/m)
  const held = read(/^cgroup (?:memory\.current|memory\.usage_in_bytes) (\d+)$/m)
  const isLimited = allowed < physical
  const gpus = [...said.matchAll(/^gpu (\S+), *(.+?) *$/gm)]
  const taken = new Set([...said.matchAll(/^busy (\S+)\s*$/gm)].map(([, uuid]) => uuid))
  const kinds = new Map<string, { total: number; used: number }>()
  for (const [, uuid, kind] of gpus) {
    const { total, used } = kinds.get(kind!) ?? { total: 0, used: 0 }
    kinds.set(kind!, { total: total + 1, used: used + (taken.has(uuid) ? 1 : 0) })
  }
  const node = {
    state: busy > 0 ? ('allocated' as const) : ('idle' as const),
    ...(Number.isNaN(cores) ? {} : { cores: { total: cores, used: busy || 0 } }),
    ...memoryOf(isLimited ? allowed : physical, isLimited ? allowed - held : available),
    gpus: kinds,
  }
  const name = /^name (\S+)$/m.exec(said)?.[1] ?? 'local'
  return [{ name, isDefault: true, up: true, ...sumNodes([node]) }]
}

function memoryOf(total: number, free: number) {
  if (Number.isNaN(total) || Number.isNaN(free)) return {}
  return { memory: { total, used: Math.max(0, total - free) } }
}
