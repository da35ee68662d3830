import type { Command, CommandResult } from '../core/shell.ts'

export interface ExecOptions {
  /** Gives up, ends the command and throws COMMAND_TIMEOUT. Default 60 s. */
  timeoutMs?: number
  signal?: AbortSignal
  /**
   * Gets stdout as it comes; the result then holds none of it. While a promise that it gives is pending no more is read,
   * so that what is slow to use is not held in memory.
   */
  onStdout?(chunk: Uint8Array): void | Promise<void>
}

export interface FileToPut {
  /** Absolute, or relative to the login folder. */
  readonly path: string
  readonly content: Uint8Array | { readonly localPath: string }
  /** Default 0o600. */
  readonly mode?: number
}

export interface FileStat {
  readonly size: number
  readonly uid: number
  readonly mode: number
  /** Seconds since the epoch, by the server's clock. */
  readonly mtime: number
  readonly type: 'file' | 'directory' | 'other'
}

/** A stream of Node's, by what makes it one: whoever has farcall's types may be without Node's. */
export interface NodeStream {
  on(event: string, listener: (...args: never[]) => void): unknown
  destroy(error?: Error): unknown
}

/** A program that runs, with its three streams: a Writable and two Readables. */
export interface Pipe {
  readonly stdin: NodeStream
  readonly stdout: NodeStream
  readonly stderr: NodeStream
  /** Its exit code; undefined: it went without one. */
  readonly ended: Promise<number | undefined>
}

/** A port as the far end reaches it: 'localhost' is its own loopback. */
export interface Destination {
  readonly host: string
  readonly port: number
}

/** A port on this machine's loopback that leads to a destination at the far end. Disposing of it closes its connections. */
export interface Tunnel extends AsyncDisposable {
  readonly port: number
}

/** Where commands run and files land. Everything else is built on these verbs. */
export interface Transport extends AsyncDisposable {
  /** For messages: 'local', 'me@login.hpc.edu:22'. */
  readonly name: string
  /**
   * Commands that can run at the same time. 1 means that a long wait blocks all else.
   * May shrink when the server refuses a channel.
   */
  readonly concurrency: number
  /** Waits for a server, request and answer, since it was opened; for tests and the bench. */
  readonly roundTrips: number
  /** Opens it; the first use does so too. @throws TransportError */
  open(): Promise<void>
  /**
   * Runs argv in the home folder, without a login shell's noise. A command that fails is a result, not an error:
   * 127 not found, 126 not executable, 128 + n ended by signal n. It is over when argv[0] has ended; a process left
   * behind must have its output redirected, or what it writes later may be lost or stand in another command's.
   * @throws TransportError CONNECTION_LOST, COMMAND_TIMEOUT
   */
  exec(command: Command, options?: ExecOptions): Promise<CommandResult>
  /**
   * Runs argv as exec does, for what talks both ways; it is given up once `use` is over.
   * @throws TransportError CONNECTION_LOST, LOGIN_REFUSED when the server gives no session for it
   */
  pipe<T>(argv: readonly string[], use: (pipe: Pipe) => Promise<T>): Promise<T>
  /** Each file appears whole under its name or not at all: temporary name, fsync, rename. Makes parent folders (0700). */
  put(files: readonly FileToPut[]): Promise<void>
  /** Undefined: not there. `from` and `length` read a part. */
  get(path: string, range?: { from: number; length?: number }): Promise<Uint8Array | undefined>
  /** Names, in no order. A folder that is not there lists nothing. */
  list(directory: string): Promise<readonly string[]>
  /** Of what a symbolic link leads to. Undefined: not there. */
  stat(path: string): Promise<FileStat | undefined>
  /** Removes files and whole folders; what is not there is no error. */
  remove(paths: readonly string[]): Promise<void>
  /**
   * Runs argv, or the login shell without one, on the terminal of this process: what is typed goes there, and the
   * size of the window. Without a terminal stdin and stdout are joined as they are. Gives the exit code.
   * @throws TransportError CONNECTION_LOST, LOGIN_REFUSED when the server gives no session for it
   */
  interactive?(argv?: readonly string[]): Promise<number>
  /**
   * Listens on this machine's loopback, on any free port or on the one that is asked for.
   * @throws TransportError PORT_TAKEN
   */
  tunnel?(to: Destination, options?: { port?: number }): Promise<Tunnel>
  /** Whether pending work keeps the process alive. */
  ref(): void
  unref(): void
}
