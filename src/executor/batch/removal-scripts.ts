import { exits } from './script-exits.ts'

/** Whether a job that nobody has collected yet reads files of the one in folder $1; those of $2 do not count. */
export const isNeeded = `is_needed() {
  for f in "$1"/needed.f*; do
    c=\${f##*.}
    [ -d "jobs/$c" ] || continue
    case " $2 " in *" jobs/$c "*) continue ;; esac
    [ -e "jobs/$c/collected" ] || [ -e "jobs/$c/kept" ] || return 0
  done
  return 1
}`

/**
 * Removes jobs and notices. $1 workdir; stdin: paths, a line each. Jobs are first moved away as a whole: a script that
 * is just leaving would take a missing end for its own to write. A line \`collected ID\` or \`kept ID\` marks a job that
 * stays, for cleanScript; an empty file, which a full disk takes too. So is one whose files another job needs.
 */
export const removeScript = `cd -- "$1" || exit ${exits.unusable}
out=jobs/.out.$$ jobs= rest=
${isNeeded}
while IFS= read -r path; do
  case $path in
    collected\\ * | kept\\ *)
      d=jobs/\${path#* } mark=\${path%% *}
      [ ! -d "$d" ] || [ -L "$d" ] || [ -L "$d/$mark" ] || true >"$d/$mark"
      # Of members that a signal ended.
      for s in "$d"/submit.*/secrets; do [ ! -f "$s" ] || rm -f "$s"; done
      ;;
    jobs/*) jobs="$jobs $path" ;;
    *) rest="$rest $path" ;;
  esac
done
going=
for d in $jobs; do
  if is_needed "$d" "$jobs"; then true >"$d/collected"; else going="$going $d"; fi
done
[ -z "$going" ] || { mkdir -p "$out" && mv -- $going "$out" 2>/dev/null; }
printf '%s\\n' $rest "$out" | xargs rm -rf --`

/** Removes inboxes that are empty. $1 workdir, then the inboxes. rmdir leaves what is not empty, and says so. */
export const tidyScript = `cd -- "$1" || exit ${exits.unusable}
shift
rmdir -- "$@" 2>/dev/null
exit 0`
