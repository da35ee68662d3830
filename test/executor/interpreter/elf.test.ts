import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readElf, stripElf } from '../../../src/executor/interpreter/elf.ts'
import { removeFolder } from '../../remove-folder.ts'

const program = readFileSync(process.execPath)

test('what the Node of these tests needs is read, and is what it starts with here', () => {
  const elf = readElf(program)
  expect(elf).toMatchObject({ arch: expect.stringMatching(/^(x86_64|aarch64)$/) })
  expect(elf?.libraries).toContain('libc.so.6')
  expect(elf?.glibc).toMatch(/^2\.\d+$/)
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime: string } }
  expect(Number(elf?.glibc.slice(2))).toBeLessThanOrEqual(Number(header.glibcVersionRuntime.slice(2)))
})

test('a stripped program is smaller, needs the same, and runs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-elf-'))
  try {
    const stripped = stripElf(program)
    expect(stripped.length).toBeLessThanOrEqual(program.length)
    expect(readElf(stripped)).toEqual(readElf(program))
    const path = join(folder, 'node')
    writeFileSync(path, stripped, { mode: 0o755 })
    expect(execFileSync(path, ['-p', 'process.version'], { encoding: 'utf8' }).trim()).toBe(process.version)
  } finally {
    removeFolder(folder)
  }
})

test('what is no such program is none, however it is cut or damaged', () => {
  expect(readElf(Buffer.from('#!/bin/sh\n'))).toBeUndefined()
  expect(readElf(program.subarray(0, 100))).toBeUndefined()
  const head = program.subarray(0, 4096)
  const damage = fc.array(fc.tuple(fc.nat(4095), fc.nat(255)), { maxLength: 40 })
  fc.assert(
    fc.property(damage, fc.nat(4096), (changes, length) => {
      const bytes = Uint8Array.from(head)
      for (const [at, value] of changes) bytes[at] = value
      readElf(bytes.subarray(0, length))
    }),
  )
})
