import type { ProgressLine } from './text.ts'

/** Where progress is shown in a notebook: writes a map's line again, in its place. */
export type ProgressPlace = (line: ProgressLine) => void

let makePlace: (() => ProgressPlace | undefined) | undefined

/** `make` gives undefined where there is no notebook. @internal */
export function showProgressIn(make: () => ProgressPlace | undefined): void {
  makePlace = make
}

/** @internal */
export const progressPlace = (): ProgressPlace | undefined => makePlace?.()
