import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { namedHosts, userSshConfig } from '../../src/transport/ssh-config-hosts.ts'
import { removeFolder } from '../remove-folder.ts'

const home = mkdtempSync(join(tmpdir(), 'farcall-hosts-'))
afterAll(() => removeFolder(home))
const here = { home, systemFile: join(home, 'none') }

it('names hosts one by one, in order, with those of included files, and none of patterns or of git', () => {
  mkdirSync(join(home, '.ssh/config.d'), { recursive: true })
  const write = (name: string, text: string) => writeFileSync(join(home, '.ssh', name), text)
  write(
    'config',
    'Host hpc "login node" !bad *.x\n  User me\nInclude config.d/*\nHost github.com gitlab.com\n  User git\nMatch host a\n  User git\nHost hpc last\n',
  )
  write('config.d/a', 'host=gpu\nInclude config.d/a\n')
  write('config.d/.hidden', 'Host hidden\n')
  expect(namedHosts(userSshConfig(home), here)).toEqual(['hpc', 'login node', 'gpu', 'last'])
  expect(namedHosts(join(home, 'nothing'), here)).toEqual([])
})
