import type { Row } from './measure.ts'
export async function capture(): Promise<Row[]> {
  return []
}
