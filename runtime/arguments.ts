import { readFileSync } from 'node:fs'
import { type JobSpec, paths, protocolVersion, specFile, submissionOf } from '../src/core/protocol.ts'

/** Which member this process is, and where its job lies. */
export interface Place {
  readonly workdir: string
  readonly id: string
  readonly attempt: number
  readonly member: number
  /** Absolute paths. */
  readonly job: string
  readonly run: string
}

/** What goes wrong before any of the user's code runs; the member then ends as launch-failed. */
export class LaunchError extends Error {}

/** `<workdir> <jobId> <attempt> <member>`, as job.sh gives them. */
export function readPlace(argv: readonly string[]): Place {
  const [workdir, id, attempt, member] = argv
  if (!workdir || !id || !isCount(attempt) || !isCount(member))
    throw new Error('usage: farcall-runtime.cjs <workdir> <jobId> <attempt> <member>')
  const at = { workdir, id, attempt: Number(attempt), member: Number(member) }
  return {
    ...at,
    job: `${workdir}/${paths.job(id)}`,
    run: `${workdir}/${paths.run(id, at.attempt, at.member)}`,
  }
}

function isCount(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,9}$/.test(text)
}

export function readSpec(place: Place): JobSpec {
  const file = `${place.job}/${specFile(submissionOf(place.attempt))}`
  let spec: JobSpec
  try {
    spec = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new LaunchError(`${file} cannot be read: ${(error as Error).message}`)
  }
  if (!(spec.protocol <= protocolVersion))
    throw new LaunchError(
      `${file} is written in protocol ${spec.protocol}; this runtime reads up to ${protocolVersion}`,
    )
  return spec
}
