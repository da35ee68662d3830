import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkHostKey, fingerprint, parseKnownHosts } from '../../src/transport/known-hosts.ts'
import { removeFolder } from '../remove-folder.ts'

let folder: string
let key: Buffer
let words: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-known-'))
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')])
  words = readFileSync(join(folder, 'key.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
  key = Buffer.from(words.split(' ')[1]!, 'base64')
})
afterAll(() => removeFolder(folder))

const patterns = [
  'login.hpc.edu',
  'LOGIN.hpc.edu',
  'login*.hpc.edu',
  'login?.hpc.edu',
  '*.edu,!login.hpc.edu',
  '!other.edu,*.edu',
  '!login.hpc.edu',
  '[login.hpc.edu]:2222',
  '[*.edu]:2222',
  '*',
  '10.0.0.1,login.hpc.edu',
  ',login.hpc.edu',
]
const names: [string, number][] = [
  ['login.hpc.edu', 22],
  ['login1.hpc.edu', 22],
  ['other.edu', 22],
  ['10.0.0.1', 22],
  ['login.hpc.edu', 2222],
  ['nobody', 22],
]

test('finds what ssh-keygen -F finds, plain and hashed by ssh-keygen -H', () => {
  const file = join(folder, 'known_hosts')
  for (const pattern of patterns) {
    writeFileSync(file, `${pattern} ${words}\n`)
    for (const hash of [false, true]) {
      if (hash) spawnSync('ssh-keygen', ['-q', '-H', '-f', file])
      const entries = parseKnownHosts(readFileSync(file, 'utf8'), file)
      for (const [host, port] of names) {
        const name = port === 22 ? host : `[${host}]:${port}`
        const theirs = spawnSync('ssh-keygen', ['-F', name, '-f', file]).status === 0
        const plainToo = port !== 22 && spawnSync('ssh-keygen', ['-F', host, '-f', file]).status === 0
        const ours = checkHostKey(entries, host, port, key).status === 'known'
        expect({ pattern, hash, name, known: ours }).toEqual({
          pattern,
          hash,
          name,
          known: theirs || plainToo,
        })
      }
    }
  }
})

test('prints the fingerprint that ssh-keygen -l prints', () => {
  const theirs = execFileSync('ssh-keygen', ['-l', '-f', join(folder, 'key.pub')], { encoding: 'utf8' })
  expect(theirs.split(' ')[1]).toBe(fingerprint(key))
})
