import { readFileSync } from 'node:fs'
import { makeDesk } from './desk.ts'
import { startKernel } from './kernel.ts'

const desk = makeDesk()
const kernel = await startKernel(desk)
try {
  for (const cell of readFileSync(process.argv[2]!, 'utf8').split(/^----\n/m)) {
    const t = Date.now()
    const out = await Promise.race([
      kernel.run(cell),
      new Promise<never>((_, j) => setTimeout(() => j(new Error('timeout')), 60000)),
    ])
    console.log('>>> ' + cell.trim().split('\n').slice(0, 3).join('\n... ') + `   [${Date.now() - t} ms]`)
    for (const o of out)
      console.log(o.output_type, o.name ?? '', o.display ?? '', o.text ?? JSON.stringify(o.data ?? o.evalue))
  }
} finally {
  await kernel.stop()
  desk.remove()
}
