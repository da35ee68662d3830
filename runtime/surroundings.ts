import { readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, hostname, release, type } from 'node:os'
import type { JobEnvironment } from '../src/core/job-environment.ts'
import { environmentFile, type JobSpec } from '../src/core/protocol.ts'
import type { Place } from './arguments.ts'
import { interpreterFacts } from './interpreter.ts'

/**
 * Writes down what is in force, for `end`. Members of one attempt share most of it: the first has all, the others have
 * what may differ.
 */
export function noteSurroundings(place: Place, spec: JobSpec): Partial<JobEnvironment> {
  const first = place.member === (spec.only?.[0] ?? 0)
  const environment = { ...surroundings(), ...(first ? shared() : {}) }
  // For job.sh, should this process be killed.
  writeFileSync(`${place.run}/${environmentFile}`, JSON.stringify(environment), { mode: 0o600 })
  return environment
}

function surroundings(): Partial<JobEnvironment> {
  const count = countOf(read('/sys/devices/system/cpu/online')) ?? cpus().length
  const allowed = countOf(/^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status') ?? '')?.[1])
  const model = /^model name\s*:\s*(.+)$/m.exec((read('/proc/cpuinfo') ?? '').slice(0, 4096))?.[1]
  return {
    host: hostname(),
    node: { version: process.version, path: process.execPath },
    cpu: { ...(model === undefined ? {} : { model }), count, usable: Math.min(allowed ?? count, count) },
  }
}

function shared(): Partial<JobEnvironment> {
  const { LOADEDMODULES = '', CONDA_PREFIX: conda, VIRTUAL_ENV: venv } = process.env
  const { glibc } = interpreterFacts().platform ?? {}
  return {
    modules: LOADEDMODULES.split(':').filter(Boolean),
    ...(conda ? { conda } : {}),
    ...(venv ? { venv } : {}),
    cwd: process.cwd(),
    arch: arch(),
    kernel: `${type()} ${release()}`,
    ...(glibc ? { glibc } : {}),
    variables: Object.keys(process.env).sort(),
  }
}

/** How many numbers '0-3,8' names. */
function countOf(list: string | undefined): number | undefined {
  if (!list || !/^[\d,-]+\s*$/.test(list)) return undefined
  return list.split(',').reduce((sum, part) => {
    const [from = 0, to = from] = part.split('-').map(Number)
    return sum + to - from + 1
  }, 0)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // not Linux, or hidden from us
  }
}
