import { SubmitError } from '../../core/errors.ts'
import type { JobSpec } from '../../core/protocol.ts'

/** @throws SubmitError SUBMIT_REFUSED, with what of the script is large */
export function requireScriptSize(
  script: string,
  { id, environment, resources, only }: Pick<JobSpec, 'id' | 'environment' | 'resources' | 'only'>,
  most: number | undefined,
): void {
  const bytes = Buffer.byteLength(script)
  if (most === undefined || bytes <= most) return
  const { variables = {}, setup = [] } = environment
  const parts: readonly (readonly [string, number])[] = [
    ['environment.variables', sizeOf(Object.entries(variables).flat())],
    ['environment.setup', sizeOf(setup)],
    ['native', sizeOf(resources.native ?? [])],
    ['the numbers of members that run again', sizeOf(only?.map(String) ?? [])],
  ]
  const [largest, size] = parts.reduce((one, other) => (other[1] > one[1] ? other : one))
  const what = size > bytes / 4 ? largest : 'the template'
  throw new SubmitError(
    'SUBMIT_REFUSED',
    `job ${id}: its script has ${inKilobytes(bytes)}, and the site takes ${inKilobytes(most)}: most of it is ${what}`,
    {
      hint: 'arguments and captured values travel beside the script, however large; or put it into a file there that environment.setup reads',
    },
  )
}

const sizeOf = (texts: readonly string[]) => texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0)

const inKilobytes = (bytes: number) => `${Math.ceil(bytes / 1024)} KiB`
