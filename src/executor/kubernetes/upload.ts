/** Into a pod that waits: files that a Secret has no room for. */
import { TransportError } from '../../core/errors.ts'
import type { Api } from './api.ts'
import { execIn } from './exec.ts'
import { containers, podPaths } from './names.ts'
import type { StreamedFile } from './payload.ts'

/**
 * Reads as many bytes as it was told of and no more: what closes stdin may come before the last of them. The file takes
 * its name only when it is what was sent.
 */
const receive = `umask 077
mkdir -p "$(dirname "$1")" && head -c "$2" >"$1.part" || exit
size=$(wc -c <"$1.part") sum=$(sha256sum <"$1.part")
[ "$((size))" = "$2" ] && [ "\${sum%% *}" = "$3" ] || { echo "$((size)) bytes came of $2"; exit 75; }
mv "$1.part" "$1"`

/** How often a file is sent that did not come whole. */
const tries = 3

export async function upload(
  api: Api,
  namespace: string,
  pod: string,
  files: readonly StreamedFile[],
  signal: AbortSignal,
): Promise<void> {
  const target = { namespace, pod, container: containers.stage }
  const run = async (argv: readonly string[], stdin?: StreamedFile['read']) =>
    execIn(api, target, argv, { signal, ...(stdin ? { stdin: stdin() } : {}) })
  for (const { path, size, sha256, read } of files) {
    for (let tried = 1; ; tried++) {
      const { exitCode, stderr, stdout } = await run(
        ['sh', '-c', receive, 'farcall', path, String(size), sha256],
        read,
      )
      if (exitCode === 0) break
      const words = `${stderr}${stdout}`.trim()
      if (exitCode !== 75 || tried === tries)
        throw new TransportError(
          'FILE_TRANSFER_FAILED',
          `${path} could not be sent into pod ${pod}: ${words || `exit code ${exitCode}`}`,
          {
            transient: exitCode === 75,
          },
        )
    }
  }
  // The last: then all of it is there.
  await run(['touch', `${podPaths.workdir}/staged`])
}
