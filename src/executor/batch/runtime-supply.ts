import { FarcallError, TransportError } from '../../core/errors.ts'
import type { InterpreterSource, NodeNeed, NodePlatform } from '../../core/interpreter.ts'
import { anyNode, parseNodeSetting } from '../../core/node-setting.ts'
import { type JobSpec, paths } from '../../core/protocol.ts'
import type { Transport } from '../../transport/transport.ts'
import type { Provider } from '../interpreter/provide.ts'
import type { Target } from '../interpreter/target.ts'
import { type Place, placeFailed } from './place.ts'
import { refuseNodeScript } from './place-scripts.ts'
import { Runtimes } from './runtimes.ts'

/** What a job is submitted with whose place needs a Node of ours. */
export interface SuppliedRuntime {
  readonly interpreter: InterpreterSource
  readonly name: string
  send(): Promise<string>
}

/** Sends a Node to where jobs need one: before the job, where that is known, else while it waits. */
export class RuntimeSupply {
  readonly #transport: Transport
  readonly #place: Place
  readonly #runtimes: Runtimes
  readonly #persist: <T>(work: () => Promise<T>) => Promise<T>

  constructor(
    transport: Transport,
    place: Place,
    provider: Provider | undefined,
    persist: <T>(work: () => Promise<T>) => Promise<T>,
  ) {
    this.#transport = transport
    this.#place = place
    this.#persist = persist
    this.#runtimes = new Runtimes(transport, place.workdir, provider, place.runtimes)
  }

  /**
   * For a job whose place is known to need one; or where nothing is known, and this machine has neither node nor
   * modules. Undefined: none, or it cannot be had, and the job may find another.
   */
  async before(spec: JobSpec): Promise<SuppliedRuntime | undefined> {
    const { interpreter } = spec
    const known = interpreter?.from === 'runtime' ? interpreter.platform : undefined
    const platform = known ?? (interpreter ? undefined : this.#guess(spec))
    if (!platform) return undefined
    const target = targetOf(spec, platform)
    if (!target) return undefined
    const ensure = () => this.#persist(() => this.#runtimes.ensure(target))
    try {
      const name = await ensure()
      const send = () => {
        this.#runtimes.forget(name)
        return ensure()
      }
      return { name, send, interpreter: { from: 'runtime', platform, folder: name } }
    } catch (error) {
      // The job finds out whether it matters, and is told why then.
      if (error instanceof TransportError) throw error
      return undefined
    }
  }

  #guess({ environment }: JobSpec): NodePlatform | undefined {
    const { modules = [], setup = [], variables = {}, container } = environment
    if (container) return undefined // its own C library decides
    return modules.length + setup.length === 0 && !('PATH' in variables) ? this.#place.bare : undefined
  }

  /** For a member that waits. If none can be had it is told so, and ends. */
  async on(spec: JobSpec, { platform, unfit, attempt, member }: NodeNeed): Promise<void> {
    const target = targetOf(spec, platform, unfit.split(' ').filter(Boolean))
    try {
      if (target) await this.#persist(() => this.#runtimes.ensure(target))
    } catch (error) {
      // It asks again.
      if (error instanceof FarcallError && error.transient) return
      const argv = [this.#place.workdir, wordsOf(error), paths.run(spec.id, attempt, member)]
      const result = await this.#persist(() =>
        this.#transport.exec({ argv: ['sh', '-c', refuseNodeScript, 'farcall', ...argv] }),
      )
      if (result.exitCode !== 0) throw placeFailed(result, this.#transport.name)
    }
  }
}

function wordsOf(error: unknown): string {
  if (!(error instanceof FarcallError)) return `a Node to send could not be had: ${String(error)}`
  const { message, hint } = error
  return hint === undefined ? message : message.replace(`\n  hint: ${hint}`, ` (${hint})`)
}

/** Undefined: it is to be a certain program, or a module's. */
function targetOf(spec: JobSpec, platform: NodePlatform, unfit: readonly string[] = []): Target | undefined {
  const setting = parseNodeSetting(spec.environment.node ?? 'auto')
  if (!setting || !('versions' in setting)) return undefined
  return { platform, versions: setting.versions ?? anyNode, isAsked: setting.kind === 'version', unfit }
}
