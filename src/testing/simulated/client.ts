import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Reply } from './model.ts'

/** A command of the scheduler: node client.mjs FOLDER COMMAND ARGS... It asks the scheduler's process, and says what that says. */
const [folder, command, ...args] = process.argv.slice(2) as [string, string, ...string[]]
// Only what reads a script from stdin may wait for it.
const readsStdin = (command === 'qsub' || command === 'sbatch') && !args.some((arg) => arg.startsWith('/'))
const stdin = readsStdin ? readFileSync(0, 'utf8') : ''
const { username: user, uid } = userInfo()
const call = { command, args, cwd: process.cwd(), env: process.env, stdin, user, uid }

const socket = connect(join(folder, 'socket'))
let text = ''
socket.setEncoding('utf8')
socket.on('error', ({ message }) => {
  process.stderr.write(`${command}: cannot connect to server: ${message}\n`)
  process.exitCode = 111
})
socket.on('data', (part) => {
  text += part
})
socket.on('end', () => {
  const { exitCode, stdout = '', stderr = '', exec } = JSON.parse(text) as Reply
  process.stderr.write(stderr)
  process.stdout.write(stdout)
  process.exitCode = exec ? (spawnSync(exec[0]!, exec.slice(1), { stdio: 'inherit' }).status ?? 1) : exitCode
})
socket.end(JSON.stringify(call))
