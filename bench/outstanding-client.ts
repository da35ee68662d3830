// A client with many jobs that wait: says when they do, and after so many seconds what that cost it.
import { close, cluster, type Job } from 'farcall'

const [kind, count, seconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const held = cluster({ native: ['--hold'], memory: '10MB' }, (n: number) => n)
const jobs: Job<number>[] = []
for (let n = 0; n < count; n++) {
  // calls of one moment travel together, as one array; one with a name of its own goes alone
  const job = kind === 'together' ? held(n) : held.with({ name: `n${n}` })(n)
  job.catch(() => {})
  jobs.push(job)
}
for (const job of jobs) for await (const { state } of job.updates()) if (state === 'QUEUED') break
// the first looks are closer together
await new Promise((resolve) => setTimeout(resolve, 12_000))
console.log('waiting')
const before = process.cpuUsage()
await new Promise((resolve) => setTimeout(resolve, 1000 * seconds))
const { user, system } = process.cpuUsage(before)
console.log(JSON.stringify({ cpu: (user + system) / 1e6 / seconds, rss: process.memoryUsage.rss() / 1e6 }))
await close()
