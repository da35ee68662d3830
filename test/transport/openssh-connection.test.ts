import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { connectionOver } from '../../src/transport/openssh-connection.ts'
import { removeFolder } from '../remove-folder.ts'

const path = process.env['PATH']
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-ssh-'))
  writeFileSync(join(folder, 'ssh'), '#!/bin/sh\nread -r line\n')
  chmodSync(join(folder, 'ssh'), 0o755)
  process.env['PATH'] = `${folder}:/bin:/usr/bin`
})
afterEach(() => {
  process.env['PATH'] = path
  removeFolder(folder)
})

/** As while OpenSSH is being updated: there is no ssh to ask. */
const update = () => {
  process.env['PATH'] = join(folder, 'none')
}
const noSsh = expect.objectContaining({
  code: 'CONFIG_INVALID',
  message: expect.stringMatching(/not on PATH/),
})
// A rejection that nobody handles would be told by the runner of this test.
const turns = () => sleep(50)

it('a session that ends while there is no ssh to ask about its master ends no program', async () => {
  const connection = connectionOver({ name: 'h', host: 'h', controlPath: '/none', end: async () => {} })
  const channel = await connection.openChannel('true')
  const closed = new Promise<void>((resolve) => channel.onClosed(() => resolve()))
  update()
  channel.close()
  await closed
  await expect(connection.verify?.()).rejects.toEqual(noSsh)
  const another = connectionOver({ name: 'h', host: 'h', controlPath: '/none', end: async () => {} })
  await expect(another.openChannel('true')).rejects.toEqual(noSsh)
  await turns()
})

it('nor does one whose doubt nobody asks about, or a master that cannot be told to end', async () => {
  const end = async () => {
    throw new Error('there is no ssh')
  }
  const connection = connectionOver({ name: 'h', host: 'h', controlPath: '/none', end })
  const channel = await connection.openChannel('true')
  const closed = new Promise<void>((resolve) => channel.onClosed(() => resolve()))
  update()
  channel.close()
  await closed
  await turns()
  connection.drop()
  await turns()
  expect(connection.lost).toMatchObject({ code: 'CONNECTION_LOST' })
})
