import { chmodSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { nodeProgram } from '../core/node-program.ts'

/** Gives an answer to what ssh asks; undefined: there is none. */
export type Answer = (prompt: string) => Promise<string | undefined>

/** ssh asks through a program of ours (SSH_ASKPASS), whatever it has to ask: for hosts on the way as well. */
export interface Askpass {
  readonly env: NodeJS.ProcessEnv
  close(): void
}

// The prompt goes through a socket in a folder of ours, and the answer comes back: neither stands in an argument.
const relay = `
const socket = require('node:net').connect(process.env.FARCALL_ASK_SOCKET)
let answer = ''
socket.write(Buffer.from(process.argv[1] || '').toString('base64') + '\\n')
socket.on('data', (chunk) => (answer += chunk))
socket.on('error', () => process.exit(1))
socket.on('end', () => {
  if (!answer.startsWith('=')) process.exit(1)
  process.stdout.write(Buffer.from(answer.slice(1), 'base64').toString() + '\\n')
})
`

export async function openAskpass(folder: string, answer: Answer): Promise<Askpass> {
  const socket = join(folder, 'ask')
  const script = join(folder, 'askpass')
  writeFileSync(script, `#!/bin/sh\nexec "$FARCALL_ASK_NODE" -e "$FARCALL_ASK_RELAY" -- "$1"\n`)
  chmodSync(script, 0o700)
  const server: Server = createServer((client) => {
    let question = ''
    client.on('error', () => client.destroy())
    client.on('data', (chunk) => {
      question += chunk.toString('latin1')
      if (!question.endsWith('\n')) return
      answer(Buffer.from(question, 'base64').toString()).then(
        (text) => client.end(text === undefined ? '' : `=${Buffer.from(text).toString('base64')}`),
        () => client.end(),
      )
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, resolve)
  })
  return {
    env: {
      ...process.env,
      SSH_ASKPASS: script,
      SSH_ASKPASS_REQUIRE: 'force',
      // before OpenSSH 8.4 it is asked only with a display, and without a terminal
      DISPLAY: process.env.DISPLAY ?? ':0',
      FARCALL_ASK_SOCKET: socket,
      FARCALL_ASK_NODE: nodeProgram(),
      FARCALL_ASK_RELAY: relay,
      ELECTRON_RUN_AS_NODE: '1',
    },
    close: () => void server.close(),
  }
}
