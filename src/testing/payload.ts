import { encode } from '../codec/codec.ts'
import { blobOf } from '../core/blob.ts'
import { newJobId } from '../core/ids.ts'
import { type JobSpec, protocolVersion } from '../core/protocol.ts'

/** A bundle whose function is the given text; what capture would have made of it. */
function bundleOf(functionText: string): Uint8Array {
  return Buffer.from(`let values
export const main = ${functionText}
export const setValues = (decode) => { values = decode() }
export const resolve = (id) => { throw new Error('no function ' + id) }
export const identify = () => undefined
export const instantiate = (id) => { throw new Error('no class ' + id) }
`)
}

interface Asked {
  args?: readonly (readonly unknown[])[]
  values?: unknown
  chunk?: number
  spec?: Partial<JobSpec>
}

/** A job for an executor, without a client. @internal */
export function payload(
  functionText: string,
  { args = [[]], values = {}, chunk = 1, spec = {} }: Asked = {},
) {
  const bundle = bundleOf(functionText)
  return {
    bundle,
    args: [
      encode(values, { root: 'values' }),
      ...args.map((list) => encode({ args: list }, { root: 'arguments' })),
    ],
    spec: {
      protocol: protocolVersion,
      id: newJobId(),
      attempt: 1,
      name: 'conformance',
      client: 'cconformance',
      function: { name: 'conformance' },
      runtime: { sha256: '', size: 0, ext: 'cjs' },
      bundle: blobOf(bundle, 'mjs'),
      map: args.length > 1,
      items: args.length,
      chunk,
      members: Math.ceil(args.length / chunk),
      resources: {},
      environment: {},
      createdAt: new Date().toISOString(),
      farcall: '0.0.0-test',
      ...spec,
    } satisfies JobSpec,
  }
}
