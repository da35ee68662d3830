import { z } from 'zod'
import { configSchema } from './schema.ts'

/** The JSON Schema (draft 2020-12) of a configuration file: what editors complete and check by. */
export function configJsonSchema(): object {
  return {
    ...z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any', reused: 'ref' }),
    title: 'farcall configuration',
  }
}
