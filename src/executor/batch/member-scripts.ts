import { exits } from './script-exits.ts'

/**
 * Waits for notices and prints them all. $1 workdir, $2 seconds between looks, $3 number of looks, $4 whether
 * stdin names notices that are recorded and may go, a path a line; then where to look, as inbox/<client>/<beginning
 * of a name>. A look costs no process but sleep; one cat reads a thousand notices (a stat of each would not).
 * How far tasks are is told with the rest, or when the looks are over: it ends no wait.
 */
export const watchScript = `cd -- "$1" || exit ${exits.unusable}
step=$2 looks=$3
[ -z "$4" ] || xargs rm -f --
shift 4
some() {
  for p; do
    for f in "$p"*; do
      case $f in "$p*" | *.progress.*) continue ;; esac
      [ ! -s "$f" ] || return 0
    done
  done
  return 1
}
until some "$@"; do
  looks=$((looks - 1))
  [ "$looks" -gt 0 ] || break
  sleep "$step" 2>/dev/null || sleep 1
done
read_all() {
  [ "$1" != "$p*" ] || return
  [ $# -gt 1000 ] || { cat -- "$@"; return; }
  (cd "\${p%/*}" 2>/dev/null && ls -f | grep "^\${p##*/}" | head -n 1000 | xargs cat --)
}
for p; do read_all "$p"*; done
exit 0`

/** What members of a job use or used, as their runtimes noted it: lines run.N.K/usage:FACTS. $1 workdir, $2 id. */
export const usageScript = `cd -- "$1/jobs/$2" 2>/dev/null || exit 0
printf '%s\\n' run.*/usag[e] | grep -v '\\[' | xargs grep -s '' /dev/null
exit 0`

/** The last lines of what a member, or the scheduler for it, wrote. $1 job folder, $2 run as attempt.member. */
export const tailScript = `cd -- "$1" 2>/dev/null || exit 0
if [ -s "run.$2/log.err" ]; then tail -c 4096 "run.$2/log.err"; fi
if [ -s "scheduler.log" ]; then tail -c 2048 "scheduler.log"; fi
exit 0`

/**
 * Records of members. $1 job folder, then runs as attempt.member. First the size of each pack, as wc tells it, and an empty
 * line; then the packs, one after the other. One that is not there is left out.
 */
export const recordsScript = `cd -- "$1" || exit ${exits.unusable}
shift
packs=
for r; do
  for f in "run.$r"/out.pac[k]; do [ ! -f "$f" ] || packs="$packs $f"; done
done
[ -n "$packs" ] || exit 0
wc -c -- $packs && echo && cat -- $packs`

/** In a loop over lines of items, from the workdir: attempt $n of member $k of job $id, of which 0 stands for the last. */
const findRun = `find_run() {
  [ "$n" -eq 0 ] || return 0
  for r in "jobs/$id"/run.*."$k"; do
    m=\${r#*/run.}
    m=\${m%%.*}
    case $m in *[!0-9]*) continue ;; esac
    [ "$m" -le "$n" ] || n=$m
  done
}
`

/**
 * Of values that items of streams have yielded, what is asked for. $1 workdir; stdin: lines ID ATTEMPT MEMBER ITEM FROM
 * LIMIT, from byte FROM on; attempt 0 is the last one. For each a line \`yields BYTES\`, then the bytes. A name is
 * opened only once a listing shows it.
 */
export const yieldsScript = `cd -- "$1" || exit ${exits.unusable}
${findRun}while read -r id n k item from limit; do
  find_run
  some=
  for f in "jobs/$id/run.$n.$k/yield"[s]".$item"; do
    [ -f "$f" ] || break
    size=$(wc -c <"$f")
    size=$((size - from))
    [ "$size" -gt 0 ] || break
    [ "$size" -le "$limit" ] || size=$limit
    some=1
    printf 'yields %s\\n' "$size"
    tail -c "+$((from + 1))" -- "$f" | head -c "$size"
  done
  [ -n "$some" ] || echo 'yields 0'
done
exit 0`

/**
 * Tells items of streams how far they are read. $1 workdir; stdin: lines ID ATTEMPT MEMBER ITEM VALUES BYTES; attempt 0 is
 * the last one. Says of those that could not be told which lines they were, from 0.
 */
export const ackScript = `umask 077
cd -- "$1" || exit ${exits.unusable}
${findRun}line=0
while read -r id n k item count bytes; do
  find_run
  r=jobs/$id/run.$n.$k
  { [ -d "$r" ] && printf '%s %s\\n' "$count" "$bytes" >"$r/ack.$item"; } 2>/dev/null || echo "$line"
  line=$((line + 1))
done
exit 0`
