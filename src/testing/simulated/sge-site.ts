import type { Call, Cluster, Reply } from './model.ts'
import { writeClock } from './options.ts'

export const queues: readonly string[] = ['all.q', 'short.q']
export const parallelEnvironments: readonly string[] = ['mpi', 'smp']

/** What may be asked for with -l. */
export const resources: readonly { name: string; type: 'MEMORY' | 'TIME' | 'INT' | 'OTHER' }[] = [
  { name: 'arch', type: 'OTHER' },
  { name: 'exclusive', type: 'OTHER' },
  { name: 'gpu', type: 'INT' },
  { name: 'h_rt', type: 'TIME' },
  { name: 'h_vmem', type: 'MEMORY' },
  { name: 'hostname', type: 'OTHER' },
  { name: 'mem_free', type: 'MEMORY' },
  { name: 's_rt', type: 'TIME' },
]

const complexes = `#name               shortcut   type      relop   requestable consumable default  urgency 
#----------------------------------------------------------------------------------------
arch                a          STRING    ==      YES         NO         NONE     0
exclusive           excl       BOOL      EXCL    YES         YES        0        1000
gpu                 gpu        INT       <=      YES         YES        0        0
h_rt                h_rt       TIME      <=      YES         NO         0:0:0    0
h_vmem              h_vmem     MEMORY    <=      YES         NO         0        0
hostname            h          HOST      ==      YES         NO         NONE     0
mem_free            mf         MEMORY    <=      YES         NO         0        0
s_rt                s_rt       TIME      <=      YES         NO         0:0:0    0
slots               s          INT       <=      YES         YES        1        1000
# >#< starts a comment but comments are not saved across edits --------
`

export function qconf({ args }: Call, { knobs }: Cluster): Reply {
  const [option, name = ''] = args
  const said = (stdout: string): Reply => ({ exitCode: 0, stdout })
  switch (option) {
    case '-sss':
      return said('node1\n')
    case '-sconf':
      return said(
        `#global:\n${columns({
          max_aj_instances: 2000,
          max_u_jobs: knobs.maxJobs ?? 0,
          max_jobs: 0,
          finished_jobs: 0,
          max_aj_tasks: knobs.maxArraySize ?? 1000,
        })}`,
      )
    case '-sc':
      return said(complexes)
    case '-sql':
      return said(queues.map((queue) => `${queue}\n`).join(''))
    case '-spl':
      return said(parallelEnvironments.map((pe) => `${pe}\n`).join(''))
    case '-sp': {
      if (!parallelEnvironments.includes(name))
        return { exitCode: 1, stderr: `"${name}" is not a parallel environment\n` }
      const rule = name === 'smp' ? '$pe_slots' : '$round_robin'
      return said(columns({ pe_name: name, slots: 9999, allocation_rule: rule, urgency_slots: 'min' }))
    }
    case '-sq': {
      const h_rt = knobs.maxTime === undefined ? 'INFINITY' : writeClock(knobs.maxTime)
      return said(
        queues.map((qname) => columns({ qname, slots: knobs.cores ?? 4, s_rt: 'INFINITY', h_rt })).join('\n'),
      )
    }
    default:
      return { exitCode: 1, stderr: `error: Unknown option ${option ?? ''}\n` }
  }
}

const columns = (settings: Readonly<Record<string, string | number>>) =>
  Object.entries(settings)
    .map(([key, value]) => `${key.padEnd(21)} ${value}\n`)
    .join('')
