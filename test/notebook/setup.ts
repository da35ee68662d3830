import { installTools } from '../toolchains/tools.ts'
import { installTslab } from './tslab.ts'

export default async (): Promise<void> => {
  await installTslab()
  await installTools()
}
