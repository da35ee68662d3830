// Stands for the runtime: imports bundles, gives them their values, calls them, prints what came out.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { BundleModule } from '../../src/capture/types.ts'
import { decode, encode } from '../../src/codec/codec.ts'

interface Task {
  code: string
  values: string
  call: string
}

const tasks = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Task[]
const answers: unknown[] = []
for (const task of tasks) answers.push(await run(task))
process.stdout.write(`\n${JSON.stringify(answers)}\n`)

async function run(task: Task): Promise<unknown> {
  try {
    const bundle: BundleModule = await import(pathToFileURL(task.code).href)
    const options = { resolve: bundle.resolve, instantiate: bundle.instantiate }
    bundle.setValues(() => decode(readFileSync(task.values), options))
    const { self, args } = decode(readFileSync(task.call), options) as { self: unknown; args: unknown[] }
    const result = await bundle.main.apply(self, args)
    const bytes = encode(result, {
      root: 'result',
      reference: (object) => {
        const id = bundle.identify(Object.getPrototypeOf(object)?.constructor)
        return id === undefined ? undefined : { kind: 'instance', id, fields: { ...object } }
      },
    })
    const json = JSON.stringify(result, (_, value) =>
      ArrayBuffer.isView(value) ? [...(value as Uint8Array)] : value,
    )
    return { bytes: Buffer.from(bytes).toString('base64'), json }
  } catch (thrown) {
    const { name, message, stack, code } = thrown as Error & { code?: string }
    return { error: { name, message, stack, code } }
  }
}
