/** Makes an archive of packages on this machine. Started by the client where npm is; see templates/packages.sh.liquid. */
import { existsSync, mkdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { BuildError, type BuildRequest, buildArchive, npm } from '../src/archive/build.ts'
import { platformHere } from '../src/archive/here.ts'
import { blobName, type PackagesRef } from '../src/core/protocol.ts'
import { withLock } from './lock.ts'

/** The request comes by stdin; the answer, { made } or { failed }, is the last line of stdout. */
export async function makePackages(workdir: string): Promise<void> {
  const request = JSON.parse(readFileSync(0, 'utf8')) as BuildRequest
  process.stdout.write(`${JSON.stringify(await answer(workdir, request))}\n`)
}

async function answer(workdir: string, request: BuildRequest) {
  const folder = `${workdir}/env`
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = `${folder}/${request.key}`
  try {
    let made = before(workdir, path)
    if (made) return { made }
    await withLock(`${path}.lock`, async () => {
      made = before(workdir, path)
      if (made) return
      // Firewalls that drop what they do not like are found out in seconds, not in npm's minutes.
      const [first] = request.roots
      const test = [
        'view',
        first!.name,
        'name',
        '--fetch-retries=0',
        '--fetch-timeout=15000',
        '--loglevel=error',
      ]
      await npm(folder, test).catch((error: Error) => {
        throw new BuildError(`npm reaches no registry on ${hostname()}: ${error.message}`)
      })
      const place = { temporary: tmpdir(), blobs: `${workdir}/blobs`, target: platformHere(), here: true }
      made = await buildArchive(request, place)
      writeFileSync(`${path}.${process.pid}.tmp`, JSON.stringify(made), { mode: 0o600 })
      renameSync(`${path}.${process.pid}.tmp`, path)
    })
    return { made }
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    return { failed: error.message }
  }
}

function before(workdir: string, path: string): PackagesRef | undefined {
  try {
    const ref = JSON.parse(readFileSync(path, 'utf8')) as PackagesRef
    if (!existsSync(`${workdir}/blobs/${blobName(ref.archive)}`)) return undefined
    const now = new Date()
    utimesSync(path, now, now)
    return ref
  } catch {
    return undefined // not made yet
  }
}
