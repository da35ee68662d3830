import { createServer } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Profile } from '../../src/core/profile.ts'
import { openTransport } from '../../src/transport/open.ts'
import { type Sshd, startSshd } from '../clusters/sshd.ts'
import { onTerminal, type Program, program, withoutTerminal } from './program.ts'

let sshd: Sshd
let interactive: Program
beforeAll(async () => {
  sshd = await startSshd()
  interactive = await program(`
    import { openTransport } from './src/transport/open.ts'
    const [profile, argv] = process.argv.slice(2).map((text) => JSON.parse(Buffer.from(text, 'hex').toString()))
    const transport = openTransport(profile)
    transport.interactive(argv ?? undefined).then(async (exitCode) => {
      await transport[Symbol.asyncDispose]()
      console.log("ended with " + exitCode)
    })
  `)
})
afterAll(async () => {
  interactive.remove()
  await sshd.stop()
})

const profiles: Record<string, () => Profile> = {
  local: () => ({ scheduler: 'direct' }),
  ssh: () => {
    const { host, port, user, identityFile, knownHosts } = sshd
    return { scheduler: 'direct', host, port, user, identityFile, knownHosts }
  },
  openssh: () => ({ ...profiles['ssh']!(), transport: 'openssh', sshConfig: '/dev/null' }),
}
const hex = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('hex')

describe.each(Object.keys(profiles))('%s', (name) => {
  const argv = (command?: readonly string[]) => [
    interactive.file,
    hex(profiles[name]!()),
    hex(command ?? null),
  ]

  test('a command has the terminal: its size, its keys, its exit code', async () => {
    const script = 'tty; stty size; echo "ready "; read x; echo "got $x"; exit 7'
    const { screen, exitCode } = await onTerminal(argv(['sh', '-c', script]), [['ready', "it's\r"]])
    expect(screen).toMatch(/\/dev\/pts\/\d+\r+\n33 101\r+\n/)
    expect(screen).toContain("got it's")
    expect(screen).toContain('ended with 7')
    expect(exitCode).toBe(0)
  })

  test('Ctrl-C is for the command and not for us', async () => {
    const script = 'trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.1; done'
    const { screen } = await onTerminal(argv(['sh', '-c', script]), [['ready', '\x03']])
    expect(screen).toContain('caught')
    expect(screen).toContain('ended with 3')
  })

  test('without a command it is the login shell', async () => {
    const { screen } = await onTerminal(argv(), [[/[$#] /, 'echo $((6*7)); exit 4\r']])
    expect(screen).toContain('42')
    expect(screen).toContain('ended with 4')
  })

  test('without a terminal its output comes all the same', async () => {
    const { stdout } = await withoutTerminal(argv(['sh', '-c', 'echo out; exit 5']))
    expect(stdout).toBe('out\nended with 5\n')
  })

  test('a tunnel leads to a port of the far end, whatever becomes of one connection', async () => {
    const server = createServer((request, response) => response.end(`you asked ${request.url}`))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const transport = openTransport(profiles[name]!())
    try {
      const tunnel = await transport.tunnel!({ host: '127.0.0.1', port })
      const ask = async (path: string) => (await fetch(`http://127.0.0.1:${tunnel.port}${path}`)).text()
      expect(await Promise.all(['/a', '/b', '/c'].map(ask))).toEqual([
        'you asked /a',
        'you asked /b',
        'you asked /c',
      ])
      const taken = transport.tunnel!({ host: '127.0.0.1', port }, { port: tunnel.port })
      await expect(taken).rejects.toMatchObject({ code: 'PORT_TAKEN' })
      await tunnel[Symbol.asyncDispose]()
      await expect(ask('/d')).rejects.toThrow('fetch failed')

      const nowhere = await transport.tunnel!({ host: '127.0.0.1', port: 1 })
      const ended = await new Promise((resolve) => {
        const socket = connect(nowhere.port, '127.0.0.1')
        socket.on('error', () => {})
        socket.on('close', () => resolve('closed'))
      })
      expect(ended).toBe('closed')
      await nowhere[Symbol.asyncDispose]()
      expect((await transport.exec({ argv: ['true'] })).exitCode).toBe(0)
    } finally {
      server.closeAllConnections()
      server.close()
      await transport[Symbol.asyncDispose]()
    }
  })
})
