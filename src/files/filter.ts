import { matcher } from './pattern.ts'
import type { FileInfo, FindOptions } from './types.ts'

/** Whether what was found fits. Depth is looked at on the way. */
export function filterOf(options: FindOptions): (file: FileInfo) => boolean {
  const { name, type, minSize, maxSize, modifiedAfter, modifiedBefore } = options
  const names = name === undefined ? undefined : [name].flat().map((one) => matcher(one, { hidden: true }))
  return (file) =>
    (type === undefined || file.type === type) &&
    (minSize === undefined || file.size >= minSize) &&
    (maxSize === undefined || file.size <= maxSize) &&
    (modifiedAfter === undefined || file.modified > modifiedAfter) &&
    (modifiedBefore === undefined || file.modified < modifiedBefore) &&
    (names === undefined || names.some((fits) => fits(file.name)))
}
