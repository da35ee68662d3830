import { BuildError, type BuildRequest } from '../../archive/build.ts'
import type { Environment } from '../../core/profile.ts'
import type { PackagesRef } from '../../core/protocol.ts'
import { renderScript } from '../../scheduler/render.ts'
import type { Transport } from '../../transport/transport.ts'

/** What is compiled takes its time. */
const timeoutMs = 1_800_000

/**
 * Has packages installed and archived there, by the npm that a job would find; one that was made before is found again.
 * `runtime`: the path of the runtime there.
 * @throws BuildError when there is no npm, or it fails
 */
export async function makePackages(
  transport: Transport,
  place: { readonly workdir: string; readonly runtime: string },
  environment: Environment,
  request: BuildRequest,
): Promise<PackagesRef> {
  const script = `${place.workdir}/env/${request.key}.sh`
  // Secrets, folder and mask are of the function.
  const { secrets: _secrets, cwd: _cwd, umask: _umask, ...setup } = environment
  const content = renderScript('packages.sh.liquid', {
    ...place,
    environment: setup,
    directives: [],
    id: '',
    client: '',
    attempt: 1,
    members: 1,
    items: 1,
    chunk: 1,
    memberVariable: '',
    memberBase: 0,
    restartCount: '0',
  })
  await transport.put([{ path: script, content: Buffer.from(content) }])
  const stdin = JSON.stringify(request)
  const result = await transport.exec({ argv: ['sh', script], stdin }, { timeoutMs })
  return readAnswer(Buffer.from(result.stdout).toString('utf8'), result.stderr, transport.name)
}

function readAnswer(stdout: string, stderr: string, name: string): PackagesRef {
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  let answer: { made?: PackagesRef; failed?: string } = {}
  try {
    answer = JSON.parse(last) as typeof answer
  } catch {
    // not one of our lines
  }
  if (answer.made) return answer.made
  throw new BuildError(answer.failed ?? `${name}: ${stderr.trim().slice(-400) || 'no answer'}`)
}
