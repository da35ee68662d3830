import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Transport } from '../transport/transport.ts'

/** What the suite is given. */
export interface TransportUnderTest {
  readonly transport: Transport
  /** An empty folder at the far end that the suite may fill, absolute. */
  readonly folder: string
}

const hostile = [
  '',
  ' ',
  "it's",
  '"',
  '$(touch pwned)',
  '`id`',
  '$HOME',
  'a\nb',
  '\\n',
  '\\',
  '*',
  '-n',
  '--',
  '; exit 7',
  '| cat',
  '&',
  '> file',
  '!!',
  'ünï 日本 🎉',
  '\t',
  '\x01\x1b[31m',
  '#',
  '~',
  'A=B',
  "'; echo gone; '",
]

/**
 * What every Transport must do, whatever carries it, as tests of vitest.
 * @example
 * import { type TransportUnderTest, transportSuite } from 'farcall/testing/suites'
 *
 * declare function connect(): Promise<TransportUnderTest['transport']> // yours
 *
 * transportSuite('mine', async () => ({ transport: await connect(), folder: '/scratch/empty' }))
 */
export function transportSuite(name: string, open: () => Promise<TransportUnderTest>): void {
  describe(`the transport ${name}`, () => {
    let transport: Transport
    let folder: string
    const at = (path: string) => `${folder}/${path}`
    const sh = (script: string, stdin?: Uint8Array | string) =>
      transport.exec({ argv: ['sh', '-c', script], ...(stdin !== undefined && { stdin }) })
    const text = async (script: string) => Buffer.from((await sh(script)).stdout).toString('utf8')

    beforeAll(async () => {
      const made = await open()
      transport = made.transport
      folder = made.folder
    })
    afterAll(() => transport[Symbol.asyncDispose]())

    describe('commands', () => {
      test('give their exit code, stdout and stderr, each by itself', async () => {
        const result = await sh('echo out; echo err >&2; echo more; exit 3')
        expect(Buffer.from(result.stdout).toString()).toBe('out\nmore\n')
        expect(result.stderr).toBe('err\n')
        expect(result.exitCode).toBe(3)
      })

      test.each([0, 1, 126, 127, 255])('exit code %i arrives', async (code) => {
        expect((await sh(`exit ${code}`)).exitCode).toBe(code)
      })

      test('a program that is not there is exit code 127, one that may not run 126', async () => {
        expect((await transport.exec({ argv: ['farcall-no-such-program'] })).exitCode).toBe(127)
        expect((await transport.exec({ argv: ['/etc/passwd'] })).exitCode).toBe(126)
      })

      test('an end by a signal is 128 and its number', async () => {
        expect((await sh('kill -KILL $$')).exitCode).toBe(137)
        expect((await sh('kill -TERM $$')).exitCode).toBe(143)
      })

      test('every argument arrives as itself', async () => {
        const { stdout } = await transport.exec({
          argv: ['sh', '-c', 'for a; do printf "%s\\0" "$a"; done', 'x', ...hostile],
        })
        expect(Buffer.from(stdout).toString('utf8').split('\0').slice(0, -1)).toEqual(hostile)
      })

      test.each(['if', 'A=B', 'exit', 'cd', '-c', "it's", '$(id)'])(
        'the word %j is looked for as a program',
        async (word) => {
          expect((await transport.exec({ argv: [word] })).exitCode).toBe(127)
        },
      )

      test('1 MB of binary stdin comes back byte for byte', async () => {
        const bytes = randomBytes(1 << 20)
        const result = await transport.exec({ argv: ['cat'], stdin: bytes })
        expect(sha(result.stdout)).toBe(sha(bytes))
      })

      test('without stdin a command reads an end of file and not the next command', async () => {
        expect(await text('cat; echo end')).toBe('end\n')
      })

      test('NUL bytes, missing newlines and what looks like a frame or a mark stay as they are', async () => {
        const bytes = Buffer.from(
          '\0\n0123456789abcdef0123456789abcdef 1 0\n7 0 0\n\0\xff no newline',
          'latin1',
        )
        const result = await transport.exec({ argv: ['cat'], stdin: bytes })
        expect(Buffer.from(result.stdout)).toEqual(bytes)
        expect(await text('printf "\\n\\n"')).toBe('\n\n')
      })

      test('a command that reads none of its stdin harms nothing', async () => {
        expect((await transport.exec({ argv: ['true'], stdin: randomBytes(1 << 20) })).exitCode).toBe(0)
        expect(await text('echo next')).toBe('next\n')
      })

      test('a command that reads a part of its stdin leaves the rest to nobody', async () => {
        const result = await sh('head -n 1', 'first\necho second\n')
        expect(Buffer.from(result.stdout).toString()).toBe('first\n')
        expect(await text('echo next')).toBe('next\n')
      })

      test('a command that closes its output early still gives its exit code', async () => {
        expect((await sh('exec >&- 2>&-; exit 5')).exitCode).toBe(5)
      })

      test('a script of 200 kB with newlines is one command', async () => {
        const lines = Array.from({ length: 10_000 }, (_, i) => `: line ${i}\n`).join('')
        const result = await transport.exec({ argv: ['sh'], stdin: `${lines}echo end` })
        expect(Buffer.from(result.stdout).toString()).toBe('end\n')
      })

      test('output that is taken as it comes is all there, in pieces, and not in the result', async () => {
        const pieces: Uint8Array[] = []
        let most = 0
        let using = 0
        const result = await transport.exec(
          { argv: ['sh', '-c', 'head -c 3000000 /dev/zero; echo err >&2; exit 3'] },
          {
            onStdout: async (piece) => {
              pieces.push(Uint8Array.from(piece))
              most = Math.max(most, ++using)
              await new Promise((resolve) => setTimeout(resolve, 1))
              using--
            },
          },
        )
        expect(Buffer.concat(pieces).equals(Buffer.alloc(3_000_000))).toBe(true)
        expect(pieces.length).toBeGreaterThan(10)
        expect(most).toBe(1)
        expect([result.exitCode, result.stdout.length, result.stderr]).toEqual([3, 0, 'err\n'])
        expect(await text('echo next')).toBe('next\n')
      })

      test('whoever cannot use output that comes gets the reason, and the next command runs', async () => {
        const failing = transport.exec(
          { argv: ['sh', '-c', 'head -c 3000000 /dev/zero'] },
          { onStdout: () => Promise.reject(new Error('disk full here')) },
        )
        await expect(failing).rejects.toThrow('disk full here')
        expect(await text('echo next')).toBe('next\n')
      })

      test('whoever cannot use the last of the output gets the reason, too', async () => {
        for (let n = 0; n < 10; n++) {
          const failing = transport.exec(
            { argv: ['echo', 'words'] },
            { onStdout: () => Promise.reject(new Error('disk full here')) },
          )
          await expect(failing).rejects.toThrow('disk full here')
        }
        expect(await text('echo next')).toBe('next\n')
      })

      test('it starts in the home folder', async () => {
        expect(await text('[ "$PWD" -ef "$HOME" ] && echo home')).toBe('home\n')
      })

      test('50 at once give each its own answer', async () => {
        const all = await Promise.all(Array.from({ length: 50 }, (_, i) => text(`echo ${i}; echo x >&2`)))
        expect(all).toEqual(Array.from({ length: 50 }, (_, i) => `${i}\n`))
        expect(transport.concurrency).toBeGreaterThanOrEqual(1)
      })

      test('what takes too long is stopped with all that it started, and the next command runs', async () => {
        const begun = Date.now()
        await expect(
          transport.exec(
            { argv: ['sh', '-c', `sleep 4711 & echo $! >'${at('pid')}'; sleep 4711`] },
            { timeoutMs: 300 },
          ),
        ).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT', transient: true })
        expect(Date.now() - begun).toBeLessThan(10_000)
        expect(await text('echo next')).toBe('next\n')
        await expect
          .poll(() => text(`cat /proc/$(cat '${at('pid')}')/stat 2>/dev/null | cut -d' ' -f3`))
          .toMatch(/^(Z\n)?$/)
      })

      test('a command that ignores SIGTERM is stopped as well', async () => {
        const stubborn = `trap '' TERM; echo $$ >'${at('stubborn')}'; while :; do sleep 0.1; done`
        await expect(
          transport.exec({ argv: ['sh', '-c', stubborn] }, { timeoutMs: 300 }),
        ).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' })
        await expect
          .poll(() => text(`cat /proc/$(cat '${at('stubborn')}')/stat 2>/dev/null | cut -d' ' -f3`))
          .toMatch(/^(Z\n)?$/)
      })

      test('an abort ends it with the reason of the signal', async () => {
        const controller = new AbortController()
        const running = transport.exec({ argv: ['sleep', '4712'] }, { signal: controller.signal })
        setTimeout(() => controller.abort(new Error('enough')), 100)
        await expect(running).rejects.toThrow('enough')
        await expect(transport.exec({ argv: ['true'] }, { signal: controller.signal })).rejects.toThrow(
          'enough',
        )
        expect(await text('echo next')).toBe('next\n')
      })
    })

    describe('files', () => {
      test('come back as they went, with their modes, in folders that are made', async () => {
        const small = randomBytes(1000)
        const large = randomBytes(5_000_000)
        await transport.put([
          { path: at('a/b/small'), content: small },
          { path: at('a/empty'), content: new Uint8Array() },
          { path: at('a/run'), content: Buffer.from('#!/bin/sh\n'), mode: 0o700 },
          { path: at('a/c/large'), content: large },
        ])
        expect(Buffer.from((await transport.get(at('a/b/small')))!)).toEqual(small)
        expect(await transport.get(at('a/empty'))).toHaveLength(0)
        expect(sha((await transport.get(at('a/c/large')))!)).toBe(sha(large))
        expect(await transport.stat(at('a/b/small'))).toMatchObject({ size: 1000, mode: 0o600, type: 'file' })
        expect(await transport.stat(at('a/run'))).toMatchObject({ mode: 0o700 })
        expect(await transport.stat(at('a/c/large'))).toMatchObject({ size: 5_000_000, mode: 0o600 })
        expect(await transport.stat(at('a/c'))).toMatchObject({ mode: 0o700, type: 'directory' })
        expect([...(await transport.list(at('a')))].sort()).toEqual(['b', 'c', 'empty', 'run'])
      })

      test('are sent from disk as well, small and large', async () => {
        const here = mkdtempSync(join(tmpdir(), 'farcall-suite-'))
        try {
          const large = randomBytes(3_000_001)
          writeFileSync(join(here, 'large'), large)
          writeFileSync(join(here, 'small'), 'small')
          await transport.put([
            { path: at('disk/large'), content: { localPath: join(here, 'large') }, mode: 0o640 },
            { path: at('disk/small'), content: { localPath: join(here, 'small') } },
          ])
          expect(sha((await transport.get(at('disk/large')))!)).toBe(sha(large))
          expect(Buffer.from((await transport.get(at('disk/small')))!).toString()).toBe('small')
          expect(await transport.stat(at('disk/large'))).toMatchObject({ mode: 0o640 })
        } finally {
          rmSync(here, { recursive: true })
        }
      })

      test('keep hostile names', async () => {
        const names = hostile.filter((name) => name !== '' && !name.includes('/')).map((name) => `n${name}`)
        await transport.put(names.map((name) => ({ path: at(`names/${name}`), content: Buffer.from(name) })))
        expect([...(await transport.list(at('names')))].sort()).toEqual([...names].sort())
        for (const name of names)
          expect(Buffer.from((await transport.get(at(`names/${name}`)))!).toString()).toBe(name)
        await transport.remove(names.map((name) => at(`names/${name}`)))
        expect(await transport.list(at('names'))).toEqual([])
      })

      test('that are not there are undefined, and an absent folder lists nothing', async () => {
        await transport.put([{ path: at('file'), content: Buffer.from('x') }])
        for (const path of ['missing', 'missing/below', 'file/below']) {
          expect(await transport.get(at(path))).toBeUndefined()
          expect(await transport.stat(at(path))).toBeUndefined()
          expect(await transport.list(at(path))).toEqual([])
          await transport.remove([at(path)])
        }
      })

      test('are read in parts', async () => {
        const content = Buffer.from('0123456789')
        await transport.put([{ path: at('parts'), content }])
        const part = async (from: number, length?: number) =>
          Buffer.from(
            (await transport.get(at('parts'), { from, ...(length !== undefined && { length }) }))!,
          ).toString()
        expect(await part(0)).toBe('0123456789')
        expect(await part(3)).toBe('3456789')
        expect(await part(3, 4)).toBe('3456')
        expect(await part(8, 100)).toBe('89')
        expect(await part(10)).toBe('')
        expect(await part(50, 5)).toBe('')
        expect(await part(0, 0)).toBe('')
        const large = randomBytes(4_000_000)
        await transport.put([{ path: at('parts-large'), content: large }])
        const middle = await transport.get(at('parts-large'), { from: 100_000, length: 3_000_000 })
        expect(sha(middle!)).toBe(sha(large.subarray(100_000, 3_100_000)))
      })

      test('replace what was there at once: a reader never sees a half', async () => {
        const contents = [1, 2, 3].flatMap((byte) => [Buffer.alloc(400_000, byte), Buffer.alloc(2000, byte)])
        const put = (content: Uint8Array) => transport.put([{ path: at('atomic'), content }])
        await put(contents[0]!)
        let writing = true
        const writer = (async () => {
          for (let round = 0; round < 4; round++) for (const content of contents) await put(content)
          writing = false
        })()
        const whole = new Set(contents.map(sha))
        let reads = 0
        while (writing) {
          const seen = await transport.get(at('atomic'))
          expect(whole).toContain(sha(seen!))
          reads++
        }
        await writer
        expect(reads).toBeGreaterThan(3)
        expect((await transport.list(folder)).filter((name) => name.startsWith('.put-'))).toEqual([])
      })

      test('that cannot be written say why, and leave nothing behind', async () => {
        await transport.put([{ path: at('taken/in'), content: Buffer.from('x') }])
        for (const path of ['taken', 'taken/in/below'])
          await expect(transport.put([{ path: at(path), content: Buffer.from('y') }])).rejects.toMatchObject({
            code: 'FILE_TRANSFER_FAILED',
          })
        expect(await transport.list(at('taken'))).toEqual(['in'])
        await expect(transport.get(at('taken'))).rejects.toMatchObject({ code: 'FILE_TRANSFER_FAILED' })
      })

      test('5,000 names are listed', async () => {
        await sh(`mkdir '${at('many')}' && cd '${at('many')}' && seq 5000 | xargs touch`)
        const names = await transport.list(at('many'))
        expect(new Set(names).size).toBe(5000)
        expect(names).toHaveLength(5000)
        await transport.remove(names.map((name) => at(`many/${name}`)))
        expect(await transport.list(at('many'))).toEqual([])
      })

      test('are removed with whole folders, more than once without harm', async () => {
        await transport.put([{ path: at('gone/a/b/c'), content: Buffer.from('x') }])
        await transport.remove([at('gone'), at('never-was')])
        await transport.remove([at('gone')])
        expect(await transport.stat(at('gone'))).toBeUndefined()
      })

      test('stat gives the time by the far clock, and the owner', async () => {
        await transport.put([{ path: at('timed'), content: Buffer.from('x') }])
        const [now, uid] = (await text('date +%s; id -u')).split('\n').map(Number)
        const found = await transport.stat(at('timed'))
        expect(Math.abs(found!.mtime - now!)).toBeLessThan(30)
        expect(found!.uid).toBe(uid)
      })

      test('a relative path begins at the home folder', async () => {
        const name = `.farcall-suite-${randomBytes(4).toString('hex')}`
        try {
          await transport.put([{ path: `${name}/-file`, content: Buffer.from('x') }])
          expect(await text(`ls "$HOME/${name}"`)).toBe('-file\n')
          expect(await transport.list(name)).toEqual(['-file'])
          expect(await transport.get(`${name}/-file`)).toHaveLength(1)
        } finally {
          await transport.remove([name])
        }
      })
    })

    test('round trips are counted: one for a command, one for small files together', async () => {
      const cost = async (work: () => Promise<unknown>) => {
        const before = transport.roundTrips
        await work()
        return transport.roundTrips - before
      }
      const files = ['x', 'y', 'z'].map((path) => ({ path: at(`trips/${path}`), content: Buffer.from(path) }))
      expect(await cost(() => sh('true'))).toBe(1)
      expect(await cost(() => transport.put(files))).toBe(1)
      expect(await cost(() => transport.get(at('trips/x')))).toBe(1)
      expect(await cost(() => transport.list(at('trips')))).toBe(1)
      expect(await cost(() => transport.stat(at('trips/x')))).toBe(1)
      expect(await cost(() => transport.remove([at('trips')]))).toBe(1)
    })
  })
}

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
