import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { Database, sqliteCode } from './database.ts'
import { unwritable } from './failures.ts'
import { type Journal, journalOf } from './journal.ts'
import { migrate } from './schema.ts'

const corruptCode = 11
const corrupt = new Set([corruptCode, 26])
const busy = 5
/** A process that was stopped half way through a transaction is waited for so long. */
const patienceMs = 60_000

/** Between two looks whether our file is still the one that others see. */
const lookIntervalMs = 1000

/** In the name of what was set aside, between 'index' and the time. */
export const damagedMark = '.damaged-'

interface Opened {
  readonly database: Database
  /** The file's inode: after it was set aside or removed, another one is at its path. */
  readonly inode: number
}

/** The database of a folder, opened again when its file was lost, and begun anew when it was damaged. */
export class Connection {
  readonly #folder: string
  readonly #clock: Pick<Clock, 'now'>
  readonly #warn: (message: string) => void
  #opened: Opened | undefined
  /** The inode of the file that was opened last, or was to be. */
  #tried: number | undefined
  #looked = performance.now()
  /** While a transaction of several verbs is under way: they are parts of it. */
  #inside: Database | undefined
  /** This process has had a database here. */
  #hadOne = false

  constructor(folder: string, clock: Pick<Clock, 'now'>, warn: (message: string) => void) {
    this.#folder = folder
    this.#clock = clock
    this.#warn = warn
    this.#guard(() => this.#database())
  }

  /** A folder of its own, so that database and journal are set aside by one rename. */
  get #home(): string {
    return join(this.#folder, 'index')
  }

  get #file(): string {
    return join(this.#home, 'store.db')
  }

  read<T>(work: (database: Database) => T): T {
    if (this.#inside) return work(this.#inside)
    return this.#guard(() => work(this.#database()))
  }

  /** One transaction. It may be begun again, so `work` changes nothing but the database. */
  write<T>(work: (database: Database) => T): T {
    if (this.#inside) return work(this.#inside)
    return this.#guard(() => {
      const database = this.#database()
      this.#inside = database
      try {
        return database.write(() => work(database))
      } finally {
        this.#inside = undefined
      }
    })
  }

  /** Gives freed pages back to the filesystem, and empties the journal as far as readers let it. */
  compact(): void {
    this.read((database) => {
      database.all('PRAGMA incremental_vacuum')
      database.all('PRAGMA wal_checkpoint(TRUNCATE)')
    })
  }

  close(): void {
    this.#opened?.database.close()
    this.#opened = undefined
  }

  #guard<T>(work: () => T): T {
    const begun = performance.now()
    let repaired = false
    for (;;) {
      try {
        return work()
      } catch (error) {
        const code = sqliteCode(error)
        // SQLite itself waits, but not everywhere: not to change the journal's mode, nor for a recovery.
        if (code === busy && performance.now() - begun < patienceMs) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
          continue
        }
        // Once: what is still wrong with a new file is not the file.
        if (repaired || !this.#repair(error, code)) throw unwritable(error, this.#folder)
        repaired = true
      }
    }
  }

  /** Whether it is worth another try. */
  #repair(error: unknown, code: number | undefined): boolean {
    const damaged = code !== undefined && corrupt.has(code)
    const moved = this.#inode() !== this.#tried
    // Moved away under us, SQLite fails in many ways; between making the folder and the file, Node in one.
    const gone = (error as NodeJS.ErrnoException).code === 'ENOENT' || (moved && this.#tried !== undefined)
    if (!damaged && !gone) return false
    this.#opened?.database.close()
    this.#opened = undefined
    if (damaged && !moved) this.#setAside(error)
    return true
  }

  /** Somebody may have removed the file, or set it aside: what we wrote to it from then on nobody would see. */
  #database(): Database {
    const now = performance.now()
    if (this.#opened && now - this.#looked >= lookIntervalMs) {
      this.#looked = now
      if (this.#inode() !== this.#opened.inode) this.close()
    }
    this.#opened ??= this.#open()
    return this.#opened.database
  }

  #open(): Opened {
    mkdirSync(this.#home, { recursive: true, mode: 0o700 })
    // Ours to make, for SQLite's would be as the umask says. Its journals take the same mode.
    this.#make()
    for (;;) {
      const inode = this.#inode()
      this.#tried = inode
      this.#refuseEmptied()
      const database = new Database(this.#file)
      try {
        prepare(database, journalOf(this.#home))
        if (migrate(database, this.#file)) this.#notePredecessor(database)
        // Else it was set aside while we opened it, and its journal may be another's.
        if (inode !== undefined && this.#inode() === inode) {
          this.#hadOne = true
          return { database, inode }
        }
      } catch (error) {
        database.close()
        throw error
      }
      database.close()
    }
  }

  /**
   * Never opens one that is there: closing it again would end the locks of this process's other connections, and SQLite
   * damages a file that it holds no locks on (sqlite.org/howtocorrupt.html, 2.2).
   */
  #make(): void {
    try {
      closeSync(openSync(this.#file, 'ax', 0o600))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }

  /** A new database where there was another one: what that one held is not known here. */
  #notePredecessor(database: Database): void {
    const others = readdirSync(this.#folder).filter((name) => name !== 'index')
    if (!this.#hadOne && others.length === 0) return
    const aside = others
      .filter((name) => name.startsWith(`index${damagedMark}`))
      .sort()
      .at(-1)
    database.run(
      'INSERT INTO predecessor (aside) VALUES (?)',
      aside === undefined ? '' : join(this.#folder, aside),
    )
  }

  /** To SQLite an empty file is a new database; one that has a journal was cut off, and others may hold locks on it. */
  #refuseEmptied(): void {
    const isEmptied = statSync(this.#file).size === 0 && existsSync(`${this.#file}-wal`)
    if (isEmptied) throw Object.assign(new Error('file is empty'), { rawCode: corruptCode })
  }

  #inode(): number | undefined {
    try {
      return statSync(this.#file, { throwIfNoEntry: false })?.ino
    } catch {
      return undefined // ENOTDIR, ESTALE, EACCES: it is not where it was; to open it anew tells why
    }
  }

  #setAside(error: unknown): void {
    const time = new Date(this.#clock.now()).toISOString().replace(/[:.]/g, '-')
    const aside = `${this.#home}${damagedMark}${time}`
    try {
      renameSync(this.#home, aside)
    } catch (cause) {
      throw unwritable(cause, this.#folder)
    }
    this.#warn(
      `the record of jobs in ${this.#folder} was damaged (${(error as Error).message}) and is now ${aside}; a new one is begun. Jobs on the cluster go on; those that lie there are put on the new record when their profile is used next`,
    )
  }
}

function prepare(database: Database, journal: Journal): void {
  // Only of a file that is still empty.
  database.exec('PRAGMA auto_vacuum = INCREMENTAL')
  database.get(`PRAGMA journal_mode = ${journal}`)
  // With WAL a power cut may take the last records with it, and nothing else; they are on the cluster as well.
  database.exec('PRAGMA synchronous = NORMAL')
}
