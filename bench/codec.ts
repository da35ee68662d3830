import type { Row } from './measure.ts'
export async function codec(): Promise<Row[]> {
  return []
}
