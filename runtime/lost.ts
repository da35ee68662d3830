import type { MemberEnd } from '../src/core/protocol.ts'

/** An item that has no record, since a process that ran it ended before. */
export interface Lost {
  readonly item: number
  readonly how: Partial<MemberEnd> & { readonly message: string }
}

/** The first one's end is the member's; the words are of all. */
export function endOf(lost: readonly Lost[]): Partial<MemberEnd> {
  const [first] = lost
  if (!first) return {}
  const told = lost.slice(0, 5).map(({ how }) => how.message)
  const more = lost.length > 5 ? [`${lost.length - 5} more`] : []
  return { ...first.how, message: [...told, ...more].join('; ') }
}
