import { randomUUID } from 'node:crypto'
import { SubmitError } from '../../core/errors.ts'
import { compareVersions, isWanted } from '../../core/node-setting.ts'
import type { Transport } from '../../transport/transport.ts'
import { type Provider, provideRuntime } from '../interpreter/provide.ts'
import { cannot, rankVersions, requirePlatform, type Target } from '../interpreter/target.ts'
import { installRuntimeScript } from './place-scripts.ts'

/** A Node that lies in the work folder. */
export interface RuntimeThere {
  /** '20.20.2-linux-x64' */
  readonly name: string
  /** The glibc that it needs. */
  readonly glibc: string
}

/** The Node runtimes of a work folder: finds one for a machine, or sends it there, once. */
export class Runtimes {
  readonly #transport: Transport
  readonly #workdir: string
  readonly #provider: Provider | undefined
  readonly #there: Map<string, RuntimeThere>
  readonly #sending = new Map<string, Promise<string>>()

  constructor(
    transport: Transport,
    workdir: string,
    provider: Provider | undefined,
    there: readonly RuntimeThere[],
  ) {
    this.#transport = transport
    this.#workdir = workdir
    this.#provider = provider
    this.#there = new Map(there.map((runtime) => [runtime.name, runtime]))
  }

  /**
   * The name of one that starts there; it lies in the work folder then.
   * @throws FarcallError INTERPRETER_MISSING, SubmitError WORKDIR_UNUSABLE, TransportError
   */
  ensure(target: Target): Promise<string> {
    const { arch, glibc, musl, stdcxx } = target.platform
    const key = JSON.stringify([arch, glibc, musl, stdcxx, target.versions, target.unfit])
    let sending = this.#sending.get(key)
    if (!sending) {
      sending = this.#ensure(target).finally(() => this.#sending.delete(key))
      this.#sending.set(key, sending)
    }
    return sending
  }

  /** It was purged. */
  forget(name: string): void {
    this.#there.delete(name)
  }

  async #ensure(target: Target): Promise<string> {
    const platform = requirePlatform(target)
    if (!this.#provider) throw cannot(`no Node can be sent to ${this.#transport.name}`)
    const names = new Map<string, string>()
    for (const { name, glibc } of this.#there.values()) {
      const version = name.slice(0, -platform.length - 1)
      if (name !== `${version}-${platform}` || target.unfit.includes(name)) continue
      if (isWanted(version, target.versions) && compareVersions(target.platform.glibc, glibc) >= 0)
        names.set(version, name)
    }
    const [best] = rankVersions([...names.keys()], target, this.#provider.version)
    if (best !== undefined) return names.get(best)!
    const runtime = await provideRuntime(target, this.#provider)
    const incoming = `node/.in.${randomUUID().slice(0, 8)}.gz`
    await this.#transport.put([
      { path: `${this.#workdir}/${incoming}`, content: { localPath: runtime.file } },
    ])
    const facts = [runtime.name, incoming, String(runtime.size), runtime.elf.glibc]
    const result = await this.#transport.exec(
      { argv: ['sh', '-c', installRuntimeScript, 'farcall', this.#workdir, ...facts] },
      { timeoutMs: 300_000 },
    )
    if (result.exitCode !== 0)
      throw new SubmitError(
        'WORKDIR_UNUSABLE',
        `Node ${runtime.name} could not be unpacked in ${this.#workdir} on ${this.#transport.name}: ${result.stderr.trim() || `exit code ${result.exitCode}`}`,
        { hint: 'free some space if the disk is full or your quota used up; or name another workdir' },
      )
    this.#there.set(runtime.name, { name: runtime.name, glibc: runtime.elf.glibc })
    return runtime.name
  }
}
