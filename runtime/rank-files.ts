/** What goes between a member and the processes that run an item together: they may be on other nodes, and share files. */
import { closeSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs'
import type { MemberEnd } from '../src/core/protocol.ts'
import { readExactly } from './bundle.ts'
import { writeWhole } from './output.ts'

/** How a rank ended its part: with its value, what it threw, or before. */
export const rankKinds = ['value', 'error', 'leave', 'ended', 'launch-failed', 'output-failed'] as const
export type RankKind = (typeof rankKinds)[number]

/** Stands before the bytes of its value or error. */
export interface RankWords {
  readonly host: string
  /** Bytes, and seconds. */
  readonly peakMemory: number
  readonly cpuTime: number
  /** Inodes of inputs that it has put into the item's folder. */
  readonly given?: readonly number[]
  readonly message?: string
  readonly ended?: Partial<MemberEnd>
}

export interface RankFile {
  readonly rank: number
  readonly kind: RankKind
  readonly path: string
}

export const ranksFolder = (run: string): string => `${run}/ranks`

const piece = 2 ** 30

export function writeRank(
  run: string,
  { item, rank, kind }: { item: number; rank: number; kind: RankKind },
  words: RankWords,
  bytes: readonly Uint8Array[] = [],
): void {
  const name = `${item}.${rank}.${kind}`
  const header = Buffer.from(`${JSON.stringify(words)}\n`)
  writeWhole(`${ranksFolder(run)}/.${name}`, `${ranksFolder(run)}/${name}`, [header, ...bytes])
}

/** Those that have ended, by their rank. A listing shows what other nodes have written, where a look at a name may not. */
export function listRanks(run: string, item: number): RankFile[] {
  const found: RankFile[] = []
  for (const name of readdirSync(ranksFolder(run))) {
    const [, of, rank, kind] = /^(\d+)\.(\d+)\.([a-z-]+)$/.exec(name) ?? []
    if (Number(of) === item && kind !== undefined)
      found.push({ rank: Number(rank), kind: kind as RankKind, path: `${ranksFolder(run)}/${name}` })
  }
  return found.sort((a, b) => a.rank - b.rank)
}

export const writtenAt = ({ path }: RankFile): number => statSync(path).mtimeMs

export function readRank({ path }: RankFile): { words: RankWords; bytes: Uint8Array[] } {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    let head = Buffer.alloc(0)
    while (!head.includes(10)) {
      const more = Math.min(65_536, size - head.length)
      if (more <= 0) throw new Error(`${path} is damaged`)
      head = Buffer.concat([head, readExactly(file, head.length, more)])
    }
    const start = head.indexOf(10) + 1
    const bytes: Uint8Array[] = []
    for (let at = start; at < size; at += piece) bytes.push(readExactly(file, at, Math.min(piece, size - at)))
    return { words: JSON.parse(head.toString('utf8', 0, start)) as RankWords, bytes }
  } finally {
    closeSync(file)
  }
}
