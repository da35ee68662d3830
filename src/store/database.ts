import { createRequire } from 'node:module'

/** What may be bound. libsql aborts the process on a boolean, and takes undefined for NULL. */
export type Value = string | number | bigint | Uint8Array | null
export type Row = Readonly<Record<string, Value>>

interface Statement {
  get(values: readonly Value[]): Row | undefined
  all(values: readonly Value[]): Row[]
  run(values: readonly Value[]): { changes: number }
}

interface Connection {
  prepare(sql: string): Statement
  exec(sql: string): void
  close(): void
}

/** How long a statement waits for other processes, in SQLite; beyond that it is begun anew, see `run`. */
const busyTimeoutMs = 20_000

/**
 * The one file that knows libsql. Loaded at the first store that is opened, for a program that only imports farcall
 * shall not pay for it.
 */
export class Database {
  readonly #connection: Connection
  readonly #statements = new Map<string, Statement>()
  #inTransaction = false

  constructor(file: string) {
    const Libsql = load()
    this.#connection = new Libsql(file)
    this.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  }

  exec(sql: string): void {
    this.#connection.exec(sql)
  }

  get(sql: string, ...values: Value[]): Row | undefined {
    return this.#prepare(sql, values).get(values)
  }

  all(sql: string, ...values: Value[]): Row[] {
    return this.#prepare(sql, values).all(values)
  }

  /** The number of rows changed. */
  run(sql: string, ...values: Value[]): number {
    return this.#prepare(sql, values).run(values).changes
  }

  /** A transaction that writes; inside another one it is a part of it. */
  write<T>(work: () => T): T {
    if (this.#inTransaction) return work()
    // IMMEDIATE: a reader that turns writer half way is refused at once, whatever the busy timeout.
    this.exec('BEGIN IMMEDIATE')
    this.#inTransaction = true
    try {
      const result = work()
      this.exec('COMMIT')
      return result
    } catch (error) {
      this.#rollback()
      throw error
    } finally {
      this.#inTransaction = false
    }
  }

  #rollback(): void {
    try {
      this.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself (a full disk); the error that led here is the one to tell.
    }
  }

  #prepare(sql: string, values: readonly Value[]): Statement {
    for (const value of values) {
      const ok = value === null || ['string', 'number', 'bigint'].includes(typeof value)
      if (!ok && !(value instanceof Uint8Array))
        throw new TypeError(`a ${typeof value} cannot be bound in ${sql}`)
    }
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#connection.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** libsql lets go of the file once its statements are collected as garbage. */
  close(): void {
    this.#statements.clear()
    this.#connection.close()
  }
}

/** libsql asks for a report of the process to tell glibc from musl, and that looks up the name of every peer. */
function load(): new (file: string) => Connection {
  const report = process.report as { excludeNetwork?: boolean }
  const before = report.excludeNetwork ?? false
  report.excludeNetwork = true
  try {
    return createRequire(import.meta.url)('libsql') as new (
      file: string,
    ) => Connection
  } finally {
    report.excludeNetwork = before
  }
}

/** SQLite's result code of an error: 5 busy, 8 read-only, 10 I/O, 11 corrupt, 13 full, 14 cannot open, 26 no database. */
export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { rawCode?: unknown } | null)?.rawCode
  // The low byte; the others tell more precisely.
  return typeof code === 'number' ? code & 0xff : undefined
}
