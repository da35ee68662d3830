import type { Listing } from './listing.ts'

/**
 * A file, folder or symbolic link.
 * @example
 * import { type FileInfo, fs } from 'farcall'
 *
 * const about = ({ name, size, modified }: FileInfo) => `${name}: ${size} bytes, ${modified.toISOString()}`
 * for (const file of await fs.ls('.')) console.log(about(file))
 */
export interface FileInfo {
  /** The path that was asked for, or one below it. */
  readonly path: string
  /** The last part of the path. */
  readonly name: string
  readonly type: 'file' | 'folder' | 'link' | 'other'
  /** Bytes. */
  readonly size: number
  readonly modified: Date
  /** Permissions: 0o644. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** What a folder takes up. */
export interface DiskUsage {
  /** Sum of the files' sizes, bytes; a file with several names counts once. */
  readonly bytes: number
  /** Bytes on the disk, folders too. */
  readonly allocated: number
  readonly files: number
  /** Folders below it. */
  readonly folders: number
}

/** What `find` gives; all conditions together. */
export interface FindOptions {
  /** Patterns of the last part of the path, one of which fits: '*.csv', ['*.h5', 'run-??']. */
  name?: string | readonly string[]
  type?: FileInfo['type']
  /** How far down: 1 is what lies in the folder itself. */
  depth?: number
  /** Bytes. */
  minSize?: number
  maxSize?: number
  modifiedAfter?: Date
  modifiedBefore?: Date
  /** What lies in folders that may not be read is left out; else it is FILE_DENIED once all others were given. */
  skipDenied?: boolean
}

/** Which bytes of a file. */
export interface ReadRange {
  /** From this byte, default 0. */
  from?: number
  /** So many bytes, default all. */
  length?: number
}

/** Options of `write`. */
export interface WriteOptions {
  /** Permissions; default 0o644. */
  mode?: number
}

/** Options of `remove`. */
export interface RemoveOptions {
  /** A folder with all that is in it. */
  recursive?: boolean
  /** What is not there is no error. */
  force?: boolean
}

/** Options of `put` and `get`. */
export interface TransferOptions {
  onProgress?: (progress: TransferProgress) => void
  signal?: AbortSignal
}

/** How far a transfer is. */
export interface TransferProgress {
  readonly files: number
  readonly totalFiles: number
  readonly bytes: number
  readonly totalBytes: number
}

/** What was transferred. */
export interface Transferred {
  readonly files: number
  readonly bytes: number
}

/** Options of `sync`. */
export interface SyncOptions extends TransferOptions {
  /** 'up': from this machine to the cluster; 'down': from the cluster to this machine. */
  direction: 'up' | 'down'
  /** Removes at the target what the source does not have; default false. */
  delete?: boolean
  /** What is the same: size and time of modification (default), or the content by its sha256. */
  compare?: 'time' | 'hash'
  /** Patterns of what is left alone at both ends: a name at any depth ('*.tmp'), or a path from the top ('out/raw'). */
  exclude?: readonly string[]
  /**
   * Of large files that both ends have, only what differs is sent where both have the system's rsync (3.1 or later);
   * false: without it.
   */
  rsync?: boolean
  /** Only says what would be done. */
  dryRun?: boolean
}

/** What a sync did, as paths below the folder. */
export interface Synced {
  readonly copied: readonly string[]
  readonly removed: readonly string[]
  /** Files and links that were the same already. */
  readonly unchanged: number
  /** Pipes, sockets and devices, which are not copied. */
  readonly skipped: readonly string[]
  /** Of the files that were copied. */
  readonly bytes: number
}

/**
 * The files of a cluster, and the ways between them and those of this machine. For a profile without host both are here.
 *
 * A file appears whole under its name or not at all, with mode and time of the original. Links are copied as links. A
 * lost connection is waited out for some seconds; called again after that, the same transfer goes on in the middle of a
 * large file. Relative local paths begin in the working directory.
 *
 * @example
 * import { connect } from 'farcall'
 *
 * await using cluster = await connect()
 * await cluster.fs.write('farcall-data/a.csv', '1,2')
 * await cluster.fs.get('farcall-data', 'copied')
 * const { copied } = await cluster.fs.sync('copied', 'farcall-data', { direction: 'up' })
 * console.log(copied.length) // 0: nothing has changed
 */
export interface ClusterFiles extends FileSystem {
  /**
   * Copies a local file or folder to the cluster, under the name `remote`; into it, when that ends in / or several are
   * given. What is there of the same names is replaced, all else stays.
   */
  put(local: string | readonly string[], remote: string, options?: TransferOptions): Promise<Transferred>
  /** The other way round. */
  get(remote: string | readonly string[], local: string, options?: TransferOptions): Promise<Transferred>
  /** Makes one folder like the other: copies what is missing or differs. */
  sync(local: string, remote: string, options: SyncOptions): Promise<Synced>
}

/** What `write` takes. */
export type FileContent =
  | string
  | Uint8Array
  | Iterable<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>

/**
 * The files of one machine: of this one (`fs`), of the node inside a remote function (`fs` again), of a cluster
 * (`connect(profile)`, then `.fs`). All calls reject with a FileError that has a `code` and the `path`.
 *
 * Names may hold anything but NUL: newlines, quotes, leading dashes. Bytes that are no UTF-8 come as lone surrogates
 * (U+DC80 to U+DCFF) and go back as what they were. `~` and `~/…` are the home folder; `./~` is a file of that name.
 *
 * @example
 * import { fs } from 'farcall'
 *
 * await fs.write('notes/today.txt', 'began\n')
 * console.log(await fs.read('notes/today.txt', 'utf8'))
 * for await (const { path, size } of fs.find('notes', { name: '*.txt' })) console.log(path, size)
 */
export interface FileSystem {
  /** What lies in a folder, in the order of names when awaited, else as it comes. Links are not followed. */
  ls(folder?: string): Listing<FileInfo>
  /** All below a folder that fits. Links are not followed. */
  find(folder: string, options?: FindOptions): Listing<FileInfo>
  /** Paths that fit a pattern: * ? [a-z] {a,b} within a name, ** for folders at any depth. Hidden names need a dot. */
  glob(pattern: string | readonly string[]): Listing<string>
  /** Of what a link leads to; `{ link: true }`: of the link itself. */
  stat(path: string, options?: { link?: boolean }): Promise<FileInfo>
  exists(path: string): Promise<boolean>
  isdir(path: string): Promise<boolean>
  isfile(path: string): Promise<boolean>
  du(path: string): Promise<DiskUsage>
  /** Files below a folder, at any depth. */
  countFiles(folder: string, options?: Pick<FindOptions, 'name' | 'depth' | 'skipDenied'>): Promise<number>
  /** A file's bytes; with 'utf8', its text. */
  read(path: string, range?: ReadRange): Promise<Uint8Array>
  read(path: string, encoding: 'utf8'): Promise<string>
  /** A file's bytes in pieces, however large it is. */
  stream(path: string, range?: ReadRange): AsyncIterable<Uint8Array>
  /** Writes a file whole or not at all; folders above it are made. */
  write(path: string, content: FileContent, options?: WriteOptions): Promise<void>
  /** With the folders above it; one that is there is fine. */
  mkdir(path: string): Promise<void>
  /** A file, a link (never what it leads to), or a folder that is empty; refuses / and the home folder. */
  remove(path: string, options?: RemoveOptions): Promise<void>
  /** Also to another folder; replaces a file of that name. */
  rename(from: string, to: string): Promise<void>
}
