import { exits } from './script-exits.ts'

/** Touches blobs, so that a purge by age passes them over, and prints the sizes of those that are there. $1 workdir; stdin: names, a line each. */
export const inputsScript = `cd -- "$1/blobs" || exit ${exits.unusable}
names=$(cat)
printf '%s\\n' "$names" | xargs touch -c --
printf '%s\\n' "$names" | xargs wc -c -- /dev/null 2>/dev/null
exit 0`

/** Prints files one after the other. $1 job folder; stdin: their names, a line each. */
export const listsScript = `cd -- "$1" || exit ${exits.unusable}
exec xargs cat --`
