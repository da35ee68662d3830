import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../client/helpers.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-screen-'))
const socket = join(folder, 'tmux')
const functions = `${root}test/fixtures/programs/functions.ts`
const tmux = (...args: string[]) => execFileSync('tmux', ['-S', socket, ...args], { encoding: 'utf8' })

/** What a person sees, at 80 columns and 24 lines: the ids and the times of this run are put aside. */
const screen = () =>
  tmux('capture-pane', '-p')
    .replace(/\bf[a-z2-7]{13}\b/g, 'fxxxxxxxxxxxxx')
    .replace(/\d+ (s|min|h|d)\b/g, 'T')
    .replace(/\d{2}:\d{2}:\d{2}/g, 'TT:TT:TT')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
const type = (text: string) => tmux('send-keys', text, 'Enter')

/** A real terminal, with a person at it: what is typed, and the text of the screen. */
describe('farcall in tmux', () => {
  beforeAll(() => {
    mkdirSync(join(folder, 'farcall'))
    mkdirSync(join(folder, 'bin'))
    writeFileSync(
      join(folder, 'bin/farcall'),
      `#!/bin/sh\nexec ${process.execPath} ${root}dist/cli/main.js "$@"\n`,
      {
        mode: 0o755,
      },
    )
    writeFileSync(
      join(folder, 'farcall/config.json'),
      JSON.stringify({ profiles: { here: { scheduler: 'direct', workdir: join(folder, 'work') } } }),
    )
    const env = {
      PATH: `${folder}/bin:${process.env['PATH']}`,
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      XDG_STATE_HOME: folder,
      XDG_CACHE_HOME: folder,
      TERM: 'xterm-256color',
    }
    execFileSync(
      'tmux',
      ['-S', socket, '-f', '/dev/null', 'new-session', '-d', '-x', '80', '-y', '24', 'sh'],
      {
        env,
        cwd: folder,
      },
    )
    // The prompt is of whoever runs the tests.
    type("PS1='$ '")
  })
  afterAll(() => {
    tmux('kill-server')
    removeFolder(folder)
  })

  it('submits a function, follows it, and has its value', async () => {
    type(`clear; farcall submit ${functions} --function wait --args '[2000]' --quiet --wait`)
    await expect.poll(screen, { timeout: 60_000 }).toContain('"waited"')
    type('clear; farcall list')
    await expect
      .poll(screen, { timeout: 30_000 })
      .toEqual([
        expect.stringMatching(/^ID +NAME +STATE +PROFILE +NATIVE +ENDED +AGE$/),
        expect.stringMatching(/^fxxxxxxxxxxxxx +wait +COMPLETED +here +\S+ +T$/),
        '$',
      ])
  })

  it('says what is wrong within the screen, and offers the nearest', async () => {
    type('clear; farcall lst')
    await expect
      .poll(screen, { timeout: 30_000 })
      .toEqual(["error: unknown command 'lst'", '(Did you mean list?)', '(farcall --help tells more)', '$'])
    type('clear; farcall status nothing; echo "code $?"')
    await expect.poll(screen, { timeout: 30_000 }).toContain('code 2')
  })

  it('redraws what changes, and Ctrl-C gives the screen back', async () => {
    type('clear; farcall list --watch 1')
    await expect
      .poll(() => screen().join('\n'), { timeout: 30_000 })
      .toMatch(/COMPLETED[\s\S]*Ctrl-C ends it/)
    tmux('send-keys', 'C-c')
    await expect.poll(() => screen().at(-1), { timeout: 30_000 }).toBe('$')
    for (const line of screen()) expect(line.length).toBeLessThanOrEqual(80)
  })
})
