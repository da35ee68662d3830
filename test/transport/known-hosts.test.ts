import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkHostKey,
  fingerprint,
  knownHostLine,
  knownKeyTypes,
  parseKnownHosts,
  typeOfKey,
} from '../../src/transport/known-hosts.ts'

function keyOf(type: string, seed: number): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(type.length)
  return Buffer.concat([length, Buffer.from(type), Buffer.alloc(36, seed)])
}

const ed1 = keyOf('ssh-ed25519', 1)
const ed2 = keyOf('ssh-ed25519', 2)
const rsa = keyOf('ssh-rsa', 3)
const line = (hosts: string, key: Buffer) => `${hosts} ${typeOfKey(key)} ${key.toString('base64')} comment`
const hashed = (name: string) => {
  const salt = randomBytes(20)
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
}
const verdict = (text: string, host: string, port = 22, key = ed1) =>
  checkHostKey(parseKnownHosts(text, 'known_hosts'), host, port, key).status

describe('a line of known_hosts', () => {
  test.each([
    ['login.hpc.edu', 'login.hpc.edu', 22, true],
    ['Login.HPC.edu', 'login.hpc.edu', 22, true],
    ['login.hpc.edu', 'LOGIN.hpc.edu', 22, true],
    ['login.hpc.edu', 'login2.hpc.edu', 22, false],
    ['login.hpc.edu,10.0.0.1', '10.0.0.1', 22, true],
    ['login?.hpc.edu', 'login7.hpc.edu', 22, true],
    ['login?.hpc.edu', 'login.hpc.edu', 22, false],
    ['*.hpc.edu', 'a.b.hpc.edu', 22, true],
    ['*.hpc.edu', 'hpc.edu', 22, false],
    ['*', 'anything', 22, true],
    ['*.hpc.edu,!bad.hpc.edu', 'bad.hpc.edu', 22, false],
    ['!bad.hpc.edu,*.hpc.edu', 'good.hpc.edu', 22, true],
    ['!bad.hpc.edu', 'good.hpc.edu', 22, false],
    ['[login.hpc.edu]:2222', 'login.hpc.edu', 2222, true],
    ['[login.hpc.edu]:2222', 'login.hpc.edu', 22, false],
    ['[login.hpc.edu]:2222', 'login.hpc.edu', 2223, false],
    ['[*.hpc.edu]:2222', 'login.hpc.edu', 2222, true],
    ['login.hpc.edu', 'login.hpc.edu', 2222, true],
    ['::1', '::1', 22, true],
    ['[::1]:2222', '::1', 2222, true],
    [hashed('login.hpc.edu'), 'login.hpc.edu', 22, true],
    [hashed('login.hpc.edu'), 'other.hpc.edu', 22, false],
    [hashed('[login.hpc.edu]:2222'), 'login.hpc.edu', 2222, true],
    ['|1|broken', 'login.hpc.edu', 22, false],
    ['|2|c2FsdA==|aGFzaA==', 'login.hpc.edu', 22, false],
  ])('%s speaks for %s port %i: %s', (hosts, host, port, known) => {
    expect(verdict(line(hosts, ed1), host, port)).toBe(known ? 'known' : 'unknown')
  })

  test.each([
    ['a comment', `# ${line('host', ed1)}`],
    ['an empty line', ''],
    ['a key cut off', line('host', ed1).slice(0, 20)],
    ['an SSH-1 key', 'host 1024 35 1234567890'],
    ['a type that the key does not have', `host ssh-rsa ${ed1.toString('base64')}`],
    ['an unknown marker', `@other ${line('host', ed1)}`],
    ['a host alone', 'host'],
  ])('that is %s says nothing', (_what, text) => {
    expect(parseKnownHosts(`${text}\n`, 'f')).toEqual([])
  })

  test('may be indented, end in CRLF and be separated by tabs', () => {
    expect(verdict(`  ${line('host', ed1).replaceAll(' ', '\t')}\r\n`, 'host')).toBe('known')
  })

  test('is named with file and number', () => {
    expect(parseKnownHosts(`# one\n\n${line('host', ed1)}`, '/f')[0]).toMatchObject({ file: '/f', line: 3 })
  })
})

describe('the key of a host', () => {
  test('is known when any of its lines has it', () => {
    expect(verdict(`${line('host', ed2)}\n${line('host', ed1)}`, 'host')).toBe('known')
  })

  test('is changed when its lines have other keys, of the same type or of another', () => {
    expect(verdict(line('host', ed2), 'host')).toBe('changed')
    expect(verdict(line('host', rsa), 'host')).toBe('changed')
  })

  test('under the bare name speaks for another port, but a different one accuses nobody', () => {
    expect(verdict(line('host', ed2), 'host', 2222)).toBe('unknown')
    expect(verdict(`${line('host', ed1)}\n${line('[host]:2222', ed2)}`, 'host', 2222)).toBe('changed')
  })

  test('is revoked wherever the line stands, and only that key is', () => {
    const revoked = `@revoked ${line('*', ed1)}`
    expect(verdict(`${line('host', ed1)}\n${revoked}`, 'host')).toBe('revoked')
    expect(verdict(`${line('host', ed1)}\n${revoked}`, 'host', 2222)).toBe('revoked')
    expect(verdict(`${line('host', ed2)}\n${revoked}`, 'host', 22, ed2)).toBe('known')
  })

  test('that a certificate authority would vouch for is told apart', () => {
    expect(verdict(`@cert-authority ${line('*.edu', ed2)}`, 'a.edu')).toBe('certificate')
    expect(verdict(`@cert-authority ${line('*.edu', ed1)}`, 'a.edu')).toBe('certificate')
  })

  test('types by which a host is known come out in the order of the file', () => {
    const entries = parseKnownHosts(
      [line('host', rsa), line('host', ed1), line('other', keyOf('ecdsa-sha2-nistp256', 1))].join('\n'),
      'f',
    )
    expect(knownKeyTypes(entries, 'host', 22)).toEqual(['ssh-rsa', 'ssh-ed25519'])
    expect(knownKeyTypes(entries, 'host', 2222)).toEqual(['ssh-rsa', 'ssh-ed25519'])
    expect(knownKeyTypes(entries, 'nobody', 22)).toEqual([])
  })

  test('has the fingerprint that OpenSSH prints', () => {
    const known = 'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl' // github.com, published
    expect(fingerprint(Buffer.from(known, 'base64'))).toBe(
      'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
    )
  })
})

describe('any input', () => {
  const hostName = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,30}$/)
  const port = fc.integer({ min: 1, max: 65535 })

  test('a line that was written for a host is found for it and for no other', () => {
    fc.assert(
      fc.property(hostName, port, hostName, (host, number, other) => {
        const text = knownHostLine(host, number, ed1)
        expect(verdict(text, host, number)).toBe('known')
        if (other !== host) expect(verdict(text, other, number)).toBe('unknown')
      }),
    )
  })

  test('never throws, and never makes an absent key known', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('@revoked ', '|1|', '!', '*', '?', ',', ' ', '\n', '#', 'host', line('host', ed2)),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        expect(verdict(pieces.join(''), 'host')).not.toBe('known')
      }),
      { numRuns: 500 },
    )
  })

  test('a pattern of many stars takes no exponential time', () => {
    const begun = performance.now()
    expect(verdict(line(`${'*a'.repeat(200)}b`, ed1), 'a'.repeat(250))).toBe('unknown')
    expect(performance.now() - begun).toBeLessThan(20_000)
  })

  test('bytes that are no key have no type', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(['string', 'undefined']).toContain(typeof typeOfKey(bytes))
      }),
    )
    expect(typeOfKey(new Uint8Array([0, 0, 0, 1]))).toBeUndefined()
  })
})
