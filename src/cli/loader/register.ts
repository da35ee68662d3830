// Given to Node by --import, or imported: from here on TypeScript files can be imported.
import { register, syncBuiltinESMExports } from 'node:module'
import { extname } from 'node:path'
import workerThreads from 'node:worker_threads'

// Node 26 warns of `register`; its successor, registerHooks, is not in Node 20 and takes no asynchronous hooks.
const { noDeprecation } = process
process.noDeprecation = true
register(new URL(`./hooks${extname(import.meta.url)}`, import.meta.url))
process.noDeprecation = noDeprecation ?? false
// The stack then names the TypeScript line and column, from which a function is found.
process.setSourceMapsEnabled(true)

/** Lets forked processes and worker threads of this process run TypeScript too. */
export function passOn(): void {
  const flags = ['--enable-source-maps', '--import', import.meta.url]
  process.execArgv.push(...flags)
  // Forks look at process.execArgv when they start; threads only at how this process was started.
  workerThreads.Worker = class extends workerThreads.Worker {
    constructor(file: string | URL, options: workerThreads.WorkerOptions = {}) {
      super(file, { execArgv: flags, ...options })
    }
  }
  syncBuiltinESMExports()
}
