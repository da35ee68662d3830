import { type JobId, partId } from '../../core/ids.ts'
import type { MapPart } from '../../core/protocol.ts'
import type { Session } from '../session/session.ts'
import type { Recorder } from '../submission/recorder.ts'

/** A job of a map, beside its first. */
export interface FurtherPart {
  readonly id: JobId
  readonly part: MapPart
}

/** Jobs that are asked for at once, first; then twice as many each time. */
const atOnce = 16

/** The jobs of a map behind its first, in order, up to one that neither the place nor the record has. */
export async function furtherParts(
  map: JobId,
  session: Session,
  { store }: Recorder,
): Promise<FurtherPart[]> {
  const parts: FurtherPart[] = []
  for (let count = atOnce; ; count *= 2) {
    const ids = Array.from({ length: count }, (_, at) => partId(map, parts.length + 1 + at))
    const found = await session.executor.find(ids)
    for (const id of ids) {
      const part = (found.get(id) ?? store.get(id))?.spec.part
      if (!part) return parts
      parts.push({ id, part })
    }
  }
}
