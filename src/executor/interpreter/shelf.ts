import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Elf, readElf, stripElf } from './elf.ts'

/** A Node that is ready to be sent. */
export interface Runtime {
  /** '20.20.2-linux-x64' */
  readonly name: string
  readonly version: string
  readonly platform: string
  readonly elf: Elf
  /** Bytes of the program, once unpacked. */
  readonly size: number
  /** The program, stripped and compressed, in a file of this machine. */
  readonly file: string
}

type Label = Omit<Runtime, 'file'>

/** Runtimes in the cache of this machine: <cache>/runtimes/<version>-<platform>/node.gz, and label.json with what it needs. */
export class Shelf {
  readonly #folder: string

  constructor(cacheDir: string) {
    this.#folder = join(cacheDir, 'runtimes')
  }

  /** Those of a platform. What is damaged is passed over, and made anew when it is wanted. */
  async list(platform: string): Promise<Runtime[]> {
    const names = existsSync(this.#folder) ? await readdir(this.#folder) : []
    const found = await Promise.all(
      names
        .filter((name) => name.endsWith(`-${platform}`) && !name.startsWith('.'))
        .map((name) => this.#read(name)),
    )
    return found.filter((runtime) => runtime !== undefined)
  }

  async #read(name: string): Promise<Runtime | undefined> {
    try {
      const { bytes, ...label } = JSON.parse(
        await readFile(join(this.#folder, name, 'label.json'), 'utf8'),
      ) as Label & {
        bytes: number
      }
      const file = join(this.#folder, name, 'node.gz')
      return label.name === name && (await stat(file)).size === bytes ? { ...label, file } : undefined
    } catch {
      return undefined
    }
  }

  /** Strips and compresses a program, and keeps it. */
  async add(version: string, platform: string, program: Uint8Array): Promise<Runtime> {
    const name = `${version}-${platform}`
    const elf = readElf(program)
    if (!elf) throw new Error(`the Node ${name} is no program for Linux`)
    const stripped = stripElf(program)
    const packed = await promisify(gzip)(stripped)
    const label: Label = { name, version, platform, elf, size: stripped.length }
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const folder = await mkdtemp(join(this.#folder, '.in-'))
    const target = join(this.#folder, name)
    try {
      await writeFile(join(folder, 'node.gz'), packed, { mode: 0o600 })
      await writeFile(join(folder, 'label.json'), JSON.stringify({ ...label, bytes: packed.length }), {
        mode: 0o600,
      })
      if (!(await this.#read(name))) {
        await rm(target, { recursive: true, force: true })
        await rename(folder, target)
      }
    } catch (error) {
      // Another process was quicker.
      if (!(await this.#read(name))) throw error
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    return { ...label, file: join(target, 'node.gz') }
  }
}
