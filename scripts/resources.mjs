// npm run docs:resources: writes docs/resources.md, what each scheduler is asked for each resource, from the tables that do it.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const page = fileURLToPath(new URL('../docs/resources.md', import.meta.url))

/** How it is written in a call: what it resolves to, and what it cannot be without. */
const samples = [
  ['cores: 8', { cores: 8 }],
  ["memory: '16GB'", { memory: '16GB' }],
  ["memory: '16GB'` with `cores: 4", { memory: '16GB', cores: 4 }],
  ["time: '2h'", { time: '2h' }],
  ['gpus: 2', { gpus: 2 }],
  ["gpus: 'a100:2'", { gpus: 'a100:2' }],
  ['nodes: 2', { nodes: 2 }],
  ['tasksPerNode: 4', { tasksPerNode: 4 }],
  ["partition: 'short'", { partition: 'short' }],
  ["account: 'abc'", { account: 'abc' }],
  ["qos: 'high'", { qos: 'high' }],
  ["constraint: 'avx2'", { constraint: 'avx2' }],
  ["reservation: '12'", { reservation: '12' }],
  ["nodelist: ['n1', 'n2']", { nodelist: ['n1', 'n2'] }],
  ["exclude: 'n9'", { exclude: 'n9' }],
  ['exclusive: true', { exclusive: true }],
  ["licenses: 'matlab:2'", { licenses: 'matlab:2' }],
  ["dependency: '123'", { dependency: '123' }],
  ['priority: -10', { priority: -10 }],
  ["name: 'study'", { name: 'study' }],
  ["mailType: 'END'", { mailType: 'END' }],
  ["mailUser: 'me@hpc.edu'", { mailUser: 'me@hpc.edu' }],
  ["signal: 'USR1@90'", { signal: 'USR1@90', time: '2h' }, { time: '2h' }],
  ['requeue: true', { requeue: true }],
  ["native: ['--x=1']", { native: ['--x=1'] }],
]

/**
 * The page, from what does the work: `schedulers`, `renderDirectives` and `resolveResources`, and of Kubernetes
 * `containerResources`.
 */
export function resourcePage({ schedulers, renderDirectives, resolveResources, containerResources }) {
  const dialects = [
    ...schedulers.map((scheduler) => ({
      name: scheduler.name,
      ask: (resources) =>
        // What else stands there are notes.
        renderDirectives(scheduler, resources).flatMap((line) =>
          line.startsWith(`${scheduler.prefix} `) ? [line.slice(scheduler.prefix.length + 1)] : [],
        ),
    })),
    {
      name: 'kubernetes',
      ask: (resources) =>
        Object.entries(containerResources(resources, {}).limits).map(([key, value]) => `${key}: ${value}`),
    },
  ]
  const rows = samples.map(([words, asked, without = {}]) => {
    const cells = dialects.map(({ ask }) => {
      try {
        const bare = ask(resolveResources(without))
        const lines = ask(resolveResources(asked)).filter((line) => !bare.includes(line))
        return lines.length === 0
          ? 'by farcall'
          : lines.map((line) => `\`${line.replaceAll('|', '\\|')}\``).join(' ')
      } catch (error) {
        if (error.code !== 'RESOURCE_UNSUPPORTED' && error.code !== 'OPTION_INVALID') throw error
        return '**refused**'
      }
    })
    return `| \`${words}\` | ${cells.join(' | ')} |`
  })
  return `# Resources

What becomes of each resource. This page is made by \`npm run docs:resources\`, from the tables by which scripts are written.

| | ${dialects.map(({ name }) => name).join(' | ')} |
|---|${'---|'.repeat(dialects.length)}
${rows.join('\n')}

**refused**: the call rejects with [RESOURCE_UNSUPPORTED](errors/RESOURCE_UNSUPPORTED.md), and its hint names a way out. **by farcall**: no
line of the scheduler's; the job's script, or the pod, sees to it. What is shown for \`sge\` is Grid Engine as it comes: parallel environment and
resources are [found out](clusters/sge.md) on each site.

## Limits

What a site limits beside resources. **read**: asked for on connecting. **learned**: of the words of a refusal; the work is split anew, and
farcall knows for a day. **unknown**: a refusal is told as it came.

| | slurm | sge | pbs | torque |
|---|---|---|---|---|
| members of an array | read: \`MaxArraySize\`, \`max_array_tasks\`; learned | read: \`max_aj_tasks\`; learned | read: \`max_array_size\` of the server; learned, also a queue's | read: \`max_job_array_size\`; learned |
| submitted jobs | read: \`MaxSubmitJobs\` of associations, \`MaxSubmitJobsPerUser\` of QOSs; unknown: \`Grp…\` limits, and a QOS that allows less than another of yours | read: \`max_u_jobs\`, \`max_jobs\`, which count an array as one; learned: \`max_u_jobs\` | read: \`max_queued\` of the server for users; unknown: of queues, groups and projects | read: \`max_user_queuable\` of the server; unknown: of queues |
| bytes of a script | read: \`max_script_size\`, else 4 MiB | none | read: \`jobscript_max_size\`, else 100 MB | unknown |

Work that fits into a limit on submitted jobs that is read or learned waits while other jobs of yours are in its way. \`direct\` and
\`kubernetes\` ask for none of these. Tried on the real thing: Slurm's and Grid Engine's, but for \`max_script_size\`, \`max_array_tasks\` and \`max_jobs\`
as a site may set them. PBS's and Torque's are from their manuals, and were tried on simulated ones.
A variable of \`environment.variables\` has at most 128 KiB on all of them, as Linux starts no program with a longer one.
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [all, directives, resources, kubernetes] = await Promise.all(
    ['scheduler/all', 'scheduler/directives', 'core/resolve-resources', 'executor/kubernetes/resources'].map(
      (name) => import(`../dist/${name}.js`),
    ),
  )
  writeFileSync(page, resourcePage({ ...all, ...directives, ...resources, ...kubernetes }))
}
