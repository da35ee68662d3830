import type { TreeEntry } from './tree.ts'

/** How a transfer is watched and stopped. */
export interface Carrying {
  /** Bytes of contents that have arrived. */
  onBytes(bytes: number): void
  onFile(): void
  readonly signal: AbortSignal | undefined
}

/**
 * The other end of transfers between this machine and another one, or itself. Folders are paths as users write them; what
 * is written appears whole under its name or not at all, with mode and time of the original.
 */
export interface End {
  /** From this machine's folder into a folder there. */
  receive(
    localFolder: string,
    folder: string,
    entries: readonly TreeEntry[],
    carrying: Carrying,
  ): Promise<void>
  /** From a folder there into this machine's. */
  send(folder: string, localFolder: string, entries: readonly TreeEntry[], carrying: Carrying): Promise<void>
  /** sha256 of files, in their order. */
  hashes(folder: string, relatives: readonly string[]): Promise<string[]>
  /** What links lead to, in their order. */
  targets(folder: string, relatives: readonly string[]): Promise<string[]>
  /** Removes files, links and whole folders below a folder, which is not the home folder or above it. */
  removeBelow(folder: string, relatives: readonly string[]): Promise<void>
  /** How large files of which both sides have some version are carried so that only what differs goes; undefined: it cannot. */
  deltas(): Promise<Deltas | undefined>
}

/** For entries of type file alone. */
export type Deltas = Pick<End, 'receive' | 'send'>
