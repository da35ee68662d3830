// A program with one map over so many items of 1 kB on this machine: what that costs, and the same by processes that it forks itself.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { close, cluster, configure } from 'farcall'

interface Item {
  readonly id: number
  readonly text: string
}

const count = Number(process.argv[2])
const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
configure({
  store: `${folder}/store`,
  profiles: { bench: { scheduler: 'direct', workdir: `${folder}/work` } },
  defaultProfile: 'bench',
})
const length = cluster((item: Item) => item.text.length + item.id)
await length({ id: 1, text: '' })
const items = Array.from(
  { length: count },
  (_, id): Item => ({ id, text: `${id} ${'a'.repeat(1000)}`.slice(0, 1000) }),
)
const before = process.memoryUsage.rss()
let most = before
const watch = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss())
}, 20)
const cpuBefore = process.cpuUsage()
const start = performance.now()
const values = await length.map(items)
const wall = performance.now() - start
const { user, system } = process.cpuUsage(cpuBefore)
clearInterval(watch)
if (values.some((value, id) => value !== 1000 + id)) throw new Error('wrong results')
await close()

const program = join(folder, 'fork.mjs')
writeFileSync(
  program,
  "process.on('message', (some) => process.send(some.map((item) => item.text.length + item.id)))",
)
const forkStart = performance.now()
const members = 4 * availableParallelism()
const size = Math.ceil(count / members)
const lane = async (first: number) => {
  for (let member = first; member < members; member += availableParallelism()) {
    const child = fork(program, { serialization: 'advanced' })
    await new Promise((resolve) => {
      child.once('message', resolve)
      child.send(items.slice(member * size, (member + 1) * size))
    })
    child.kill()
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, (_, first) => lane(first)))
const forked = performance.now() - forkStart
rmSync(folder, { recursive: true, force: true })
const growth = (Math.max(most, process.memoryUsage.rss()) - before) / (1000 * count)
console.log(JSON.stringify({ wall, forked, cpu: (user + system) / 1e6, growth }))
