import { createServer } from 'node:net'
import { join } from 'node:path'
import { SimulatedCluster } from './cluster.ts'
import type { Knobs } from './knobs.ts'
import { type Call, type Dialect, Refused, type Reply } from './model.ts'
import { pbsDialect } from './pbs.ts'
import { sgeDialect } from './sge.ts'
import { slurmDialect } from './slurm.ts'

/** The scheduler's process: node program.mjs KIND FOLDER KNOBS. Its commands ask it through a socket in the folder. */
const dialects: Record<string, () => Dialect> = {
  pbs: () => pbsDialect('pbs'),
  torque: () => pbsDialect('torque'),
  slurm: () => slurmDialect,
  sge: () => sgeDialect,
}

const [kind, folder, knobs] = process.argv.slice(2) as [string, string, string]
const dialect = dialects[kind]!()
const cluster = new SimulatedCluster(dialect, folder, JSON.parse(knobs) as Knobs)

function answer(call: Call): Reply {
  if (call.command === 'farcall-set') {
    cluster.set(JSON.parse(call.stdin) as Knobs)
    return { exitCode: 0 }
  }
  if (call.command === 'farcall-fail-node' || call.command === 'farcall-preempt') {
    cluster.failNode(call.command === 'farcall-preempt' ? 'preempted' : 'node')
    return { exitCode: 0 }
  }
  const { outage, refuse, loseAnswers, emptyAnswers } = cluster.knobs
  if (outage) return dialect.outage(call)
  if (emptyAnswers && dialect.questions.has(call.command)) return { exitCode: 0 }
  const isSubmission = call.command === 'qsub' || call.command === 'sbatch'
  if (isSubmission && refuse !== undefined) return dialect.refusal(refuse)
  try {
    const reply = dialect.run(call, cluster)
    return isSubmission && loseAnswers && reply.exitCode === 0 ? dialect.lostAnswer : reply
  } catch (error) {
    if (error instanceof Refused) return { exitCode: error.exitCode, stderr: `${error.message}\n` }
    throw error
  }
}

createServer({ allowHalfOpen: true }, (socket) => {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('error', () => {}) // who asked has gone
  socket.on('data', (part) => {
    text += part
  })
  socket.on('end', () => {
    let reply: Reply
    try {
      reply = answer(JSON.parse(text) as Call)
    } catch (error) {
      reply = { exitCode: 70, stderr: `the simulated ${kind} failed: ${(error as Error).stack}\n` }
    }
    socket.end(JSON.stringify(reply))
  })
}).listen(join(folder, 'socket'), () => process.stdout.write('ready\n'))

// Whoever started it holds its stdin: when that ends, so do its jobs.
process.stdin.on('end', () => {
  cluster.stop()
  process.exit(0)
})
process.stdin.resume()
