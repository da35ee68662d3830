import { expect, it } from 'vitest'
import { whereNoMoreFilesOpen } from './no-more-files.ts'

it('where no more files can be opened a program is not started, and that is told', async () => {
  const setup = `
    import { createLocalTransport } from './src/transport/local.ts'
    import { connectionOver } from './src/transport/openssh-connection.ts'
    import { commandRoute } from './src/transport/ssh-route.ts'

    const local = createLocalTransport()
    const master = { name: 'h', host: 'h', controlPath: '/nowhere/s', end: async () => {} }
    const all = {
      exec: () => local.exec({ argv: ['true'] }),
      pipe: () => local.pipe(['true'], async () => {}),
      session: () => connectionOver(master).openChannel('true'),
      proxy: async () => commandRoute('true'),
    }`
  const tell = `({ code, transient, message }) => [code, transient, message].join(' ')`
  const why = 'could not be started: no more files can be opened (ulimit -n)'
  expect(await whereNoMoreFilesOpen(setup, tell)).toEqual({
    exec: `COMMAND_FAILED true true ${why}`,
    pipe: `COMMAND_FAILED true true ${why}`,
    session: `COMMAND_FAILED true ssh ${why}`,
    proxy: `COMMAND_FAILED true ${process.env['SHELL'] || '/bin/sh'} ${why}`,
    later: 'none',
  })
})
