import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMarkScanner, frame, openingCommand, openingInput } from '../../src/transport/shell-loop.ts'
import { removeFolder } from '../remove-folder.ts'

const token = '0123456789abcdef0123456789abcdef'

test('a mark is found however the bytes are cut, and the output is what came before it', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constantFrom(
      Buffer.from(`\n${token} `),
      Buffer.from(`${token} 7 0\n`),
      Buffer.from(`\n${token} 8 0\n`),
      Buffer.from('\n'),
    ),
  )
  fc.assert(
    fc.property(
      fc.array(noise, { maxLength: 6 }),
      fc.integer({ min: 0, max: 255 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
      (pieces, code, cuts) => {
        const output = Buffer.concat(pieces)
        // another command's seq is no mark; this one's can only stand at the end
        fc.pre(!Buffer.concat([output, Buffer.from('\n')]).includes(`\n${token} 7 `))
        const wire = Buffer.concat([output, Buffer.from(`\n${token} 7 ${code}\n`)])
        const scanner = createMarkScanner(token, 7)
        let found: ReturnType<typeof scanner.feed>
        for (let at = 0, i = 0; at < wire.length; i++) {
          const length = cuts[i % cuts.length] ?? 1
          found ??= scanner.feed(wire.subarray(at, at + length))
          at += length
        }
        expect(found?.value).toBe(code)
        expect(found?.output.equals(output)).toBe(true)
      },
    ),
    { numRuns: 500 },
  )
})

/** The loop in a real shell on this machine; gives back what it wrote. */
function runLoop(login: string, input: Buffer, env: NodeJS.ProcessEnv = {}) {
  return new Promise<Buffer>((resolve, reject) => {
    const child = spawn(login, ['-c', openingCommand], {
      env: { ...process.env, SHELL: login, ...env },
    })
    const out: Buffer[] = []
    child.stdout.on('data', (chunk) => out.push(chunk))
    child.on('error', reject)
    child.on('close', () => resolve(Buffer.concat(out)))
    child.stdin.end(input)
  })
}

const shells = [
  '/bin/sh',
  '/bin/bash',
  '/bin/dash',
  '/bin/zsh',
  '/usr/bin/fish',
  '/bin/ksh',
  '/bin/tcsh',
].filter(existsSync)

describe.each(shells)('the far loop, for a user of %s', (shell) => {
  test('runs frames in order and keeps scripts, stdin and exit codes apart', async () => {
    const input = Buffer.concat([
      Buffer.from(openingInput(token)),
      frame(1, 'exec echo one', Buffer.alloc(0)),
      frame(2, 'printf "%s\\n" "two\nlines"; exit 4', Buffer.alloc(0)),
      frame(3, 'exec cat', Buffer.from('9 9 9\nfrom stdin')),
      frame(4, 'exec cat', Buffer.alloc(0)),
      frame(5, `: ${'x'.repeat(5000)}; echo long`, Buffer.alloc(100_000, 'y')),
    ])
    const wire = (await runLoop(shell, input)).toString('latin1')
    expect(wire.slice(wire.indexOf(`\n${token} 0 `)).replace(/ 0 \d+\n/, ' 0 PID\n')).toBe(
      `\n${token} 0 PID\none\n\n${token} 1 0\ntwo\nlines\n\n${token} 2 4\n9 9 9\nfrom stdin\n${token} 3 0\n` +
        `\n${token} 4 0\nlong\n\n${token} 5 0\n`,
    )
  })
})

test('a head that reads ahead is not trusted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-head-'))
  try {
    // takes all there is, then gives the bytes that it was asked for
    const greedy = '#!/bin/sh\ntouch "$0.used"; cat >"$0.$$"; dd if="$0.$$" bs=1 count="$2" 2>/dev/null\n'
    writeFileSync(`${folder}/head`, greedy, { mode: 0o755 })
    writeFileSync(`${folder}/.profile`, `PATH=${folder}:$PATH\n`)
    const input = Buffer.concat([
      Buffer.from(openingInput(token)),
      frame(1, 'exec cat', Buffer.from('abc')),
      frame(2, 'echo "two\n"', Buffer.alloc(0)),
    ])
    const wire = (await runLoop('/bin/sh', input, { HOME: folder })).toString()
    expect(existsSync(`${folder}/head.used`)).toBe(true)
    expect(wire).toContain(`abc\n${token} 1 0\n`)
    expect(wire).toContain(`two\n\n\n${token} 2 0\n`)
  } finally {
    removeFolder(folder)
  }
})
