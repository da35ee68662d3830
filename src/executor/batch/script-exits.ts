/**
 * The sh scripts that the batch executor sends. Each is one command, so one round trip; all input comes by
 * arguments and stdin, never by interpolation.
 */

/** Exit codes of our scripts, apart from what the commands in them use. */
export const exits = {
  unusable: 71,
  missingBlob: 75,
  uncertain: 76,
  diskLow: 77,
  unanswered: 78,
  missingParent: 79,
} as const
