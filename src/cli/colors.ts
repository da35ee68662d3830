import { styleText } from 'node:util'
import type { JobState } from '../core/status.ts'

type Style = Parameters<typeof styleText>[0]
export type Paint = (style: Style, text: string) => string

type Stream = Pick<NodeJS.WriteStream, 'isTTY'>

/** Colours on a terminal; NO_COLOR (https://no-color.org) and FORCE_COLOR say otherwise. */
export function paintOf(stream: Stream, env: NodeJS.ProcessEnv = process.env): Paint {
  return hasColors(stream, env) ? (style, text) => styleText(style, text) : (_, text) => text
}

function hasColors({ isTTY }: Stream, { NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (NO_COLOR) return false
  if (FORCE_COLOR !== undefined) return !/^(0|false)$/.test(FORCE_COLOR)
  return isTTY === true && TERM !== 'dumb'
}

export const styleOfState: Readonly<Record<JobState, Style>> = {
  NEW: 'dim',
  QUEUED: 'yellow',
  ACTIVE: 'cyan',
  COMPLETED: 'green',
  FAILED: 'red',
  CANCELED: 'magenta',
}
