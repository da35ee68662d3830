import { FarcallError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import { membersOf, paths } from '../../core/protocol.ts'
import type { Transport } from '../../transport/transport.ts'
import { removeScript, tidyScript } from './removal-scripts.ts'
import { exits } from './script-exits.ts'
import type { TrackedJob } from './tracked-job.ts'

/** What of a job's files goes when nobody needs them any more. */
export class Leftovers {
  readonly #transport: Transport
  readonly #workdir: string
  /** Whose inboxes we have made or read. */
  readonly #clients = new Set<string>()

  constructor(transport: Transport, workdir: string) {
    this.#transport = transport
    this.#workdir = workdir
  }

  /** Its inbox is tidied at the end. */
  note(client: string): void {
    this.#clients.add(client)
  }

  /** Folders of jobs, files, and marks, as removeScript takes them. */
  async remove(files: readonly string[]): Promise<void> {
    if (files.length === 0) return
    const argv = ['sh', '-c', removeScript, 'farcall', this.#workdir]
    const stdin = files.map((file) => `${file}\n`).join('')
    const result = await this.#transport.exec({ argv, stdin })
    if (result.exitCode !== 0 && result.exitCode !== exits.unusable)
      throw new FarcallError(
        'COMMAND_FAILED',
        `cleaning up in ${this.#workdir} on ${this.#transport.name}: ${result.stderr.trim()}`,
      )
  }

  /** Inboxes that are empty go; a job that ends later makes its own again. */
  async tidy(): Promise<void> {
    if (this.#clients.size === 0) return
    const inboxes = [...this.#clients].map((client) => paths.inbox(client))
    this.#clients.clear()
    const argv = ['sh', '-c', tidyScript, 'farcall', this.#workdir, ...inboxes]
    await this.#transport.exec({ argv }, { timeoutMs: 5_000 }).catch(() => {
      // An empty folder that stays harms nobody, and whoever closes has no use for the news.
    })
  }
}

/** What lies in the inbox of a client whose job we took over: it may have ended before we looked there. */
export function noticesOfOthers(id: JobId, attempts: readonly TrackedJob[]): string[] {
  return attempts.flatMap(({ spec, runs, adopted }) => {
    if (!adopted) return []
    const { client, attempt } = spec
    const notice = (member: number) => paths.notice(id, runs.get(member) ?? attempt, member)
    return [...membersOf(spec)].map((member) => `${paths.inbox(client)}/${notice(member)}`)
  })
}
