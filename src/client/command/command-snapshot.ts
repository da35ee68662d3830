import { createHash } from 'node:crypto'
import type { Bundle, Snapshot } from '../../capture/types.ts'
import { encode } from '../../codec/codec.ts'
import { commandKey } from '../../core/command.ts'
import type { JobScript } from '../options/script-directives.ts'

/** What runs a command lies in the runtime: all commands have this bundle. */
const code = Buffer.from(
  `export const main = (...args) => globalThis[Symbol.for(${JSON.stringify(commandKey)})](...args)
export const setValues = () => {}
export const identify = () => undefined
const unknown = () => { throw new Error('a command is given no classes or functions') }
export { unknown as resolve, unknown as instantiate }
`,
)

const bundle: Bundle = {
  hash: createHash('sha256').update(code).digest('hex'),
  code,
  map: JSON.stringify({ version: 3, sources: [], names: [], mappings: '' }),
  packages: [],
}
const nothing = encode({}, { root: 'captured' })

/** What stands for a function's code and variables where a command is run. */
export function commandSnapshot(name: string, script?: JobScript): Snapshot {
  return {
    name,
    command: script ? { script } : {},
    values: () => nothing,
    blobs: () => [],
    encode: (value, root, elsewhere) => encode(value, { root, ...(elsewhere ? { elsewhere } : {}) }),
    // A job among the arguments gives text, or is refused there.
    bring: () => {},
    bundle: async () => bundle,
    classes: () => new Map(),
  }
}
