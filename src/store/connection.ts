import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { Database, sqliteCode } from './database.ts'
import { unwritable } from './failures.ts'
import { journalOf } from './journal.ts'
import { migrate } from './schema.ts'

const corrupt = new Set([11, 26])
const busy = 5

/** Between two looks whether our file is still the one that others see. */
const lookIntervalMs = 1000

/** 16 MB. Each checkpoint waits for the disk; SQLite's own 1000 would be one in every hundred jobs. */
const checkpointPages = 4000

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
  #opened: Opened
  #looked = performance.now()
  /** No database was there when this process opened it. */
  fresh = false

  constructor(folder: string, clock: Pick<Clock, 'now'>, warn: (message: string) => void) {
    this.#folder = folder
    this.#clock = clock
    this.#warn = warn
    this.#opened = this.#guard(() => this.#open())
  }

  /** A folder of its own, so that database and journal are set aside by one rename. */
  get #home(): string {
    return join(this.#folder, 'index')
  }

  get #file(): string {
    return join(this.#home, 'store.db')
  }

  read<T>(work: (database: Database) => T): T {
    return this.#guard(() => {
      this.#look()
      return work(this.#opened.database)
    })
  }

  /** One transaction. It may be begun again, so `work` changes nothing but the database. */
  write<T>(work: (database: Database) => T): T {
    return this.#guard(() => {
      this.#look()
      return this.#opened.database.write(() => work(this.#opened.database))
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
    this.#opened.database.close()
  }

  #guard<T>(work: () => T): T {
    let repaired = false
    for (;;) {
      try {
        return work()
      } catch (error) {
        const code = sqliteCode(error)
        if (code === busy) continue
        if (code === undefined || !corrupt.has(code) || repaired) throw unwritable(error, this.#folder)
        repaired = true
        this.#setAside(error)
      }
    }
  }

  #open(): Opened {
    mkdirSync(this.#home, { recursive: true, mode: 0o700 })
    // Ours to make, for SQLite's would be as the umask says. Its journals take the same mode.
    closeSync(openSync(this.#file, 'a', 0o600))
    for (;;) {
      const inode = this.#inode()
      const database = new Database(this.#file)
      try {
        database.exec('PRAGMA auto_vacuum = INCREMENTAL')
        database.get(`PRAGMA journal_mode = ${journalOf(this.#home)}`)
        // With WAL a power cut may take the last records with it, and nothing else; they are on the cluster as well.
        database.exec('PRAGMA synchronous = NORMAL')
        database.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`)
        const fresh = migrate(database, this.#file)
        if (inode !== undefined && this.#inode() === inode) {
          this.fresh = fresh
          return { database, inode }
        }
      } catch (error) {
        database.close()
        throw error
      }
      database.close()
    }
  }

  #inode(): number | undefined {
    return statSync(this.#file, { throwIfNoEntry: false })?.ino
  }

  /** Somebody may have removed the file, or set it aside: what we wrote to it from then on nobody would see. */
  #look(): void {
    const now = performance.now()
    if (now - this.#looked < lookIntervalMs) return
    this.#looked = now
    if (this.#inode() === this.#opened.inode) return
    this.#opened.database.close()
    this.#opened = this.#open()
  }

  #setAside(error: unknown): void {
    const damaged = this.#opened?.inode ?? this.#inode()
    this.#opened?.database.close()
    if (damaged !== undefined && this.#inode() === damaged) {
      const time = new Date(this.#clock.now()).toISOString().replace(/[:.]/g, '-')
      const aside = `${this.#home}.damaged-${time}`
      renameSync(this.#home, aside)
      this.#warn(
        `the record of jobs in ${this.#folder} was damaged (${(error as Error).message}) and is now ${aside}; a new one is begun. Jobs on the cluster go on, attach(id) finds them there`,
      )
    }
    this.#opened = this.#open()
  }
}
