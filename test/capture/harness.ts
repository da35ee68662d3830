// Stands for the runtime: import the bundle, give it its values, call it, print what came out.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { BundleModule } from '../../src/capture/types.ts'
import { decode, encode } from '../../src/codec/codec.ts'

const [code, values, call] = process.argv.slice(2)
const bundle: BundleModule = await import(pathToFileURL(code!).href)
const options = { resolve: bundle.resolve, instantiate: bundle.instantiate }
try {
  bundle.setValues(decode(readFileSync(values!), options))
  const { self, args } = decode(readFileSync(call!), options) as { self: unknown; args: unknown[] }
  const result = await bundle.main.apply(self, args)
  const bytes = encode(result, {
    root: 'result',
    reference: (object) => {
      const id = bundle.identify(Object.getPrototypeOf(object)?.constructor)
      return id === undefined ? undefined : { kind: 'instance', id, fields: { ...object } }
    },
  })
  console.log(JSON.stringify({ bytes: Buffer.from(bytes).toString('base64') }))
} catch (thrown) {
  const { name, message, stack, code } = thrown as Error & { code?: string }
  console.log(JSON.stringify({ error: { name, message, stack, code } }))
}
