/** The sh scripts that run Grid Engine's commands; ids and options come by arguments, never by interpolation. */

/**
 * PATH alone goes along, so that a job finds the programs of the login; of all else (-V) everybody could read it in
 * `qstat -j`. What a ~/.sge_request may say and we decide is said again. Of a job that no queue could ever start, -w v
 * tells why.
 */
export const submitScript = `unset NODE_OPTIONS farcall_native
said=$(qsub -terse -b n -sync n -now n -v PATH "$@" 2>&1)
rc=$?
if [ "$rc" -eq 0 ]; then printf '%s\\n' "$said"; exit 0; fi
printf '%s\\n' "$said" >&2
case $said in
  *'no suitable queues'*) qsub -terse -b n -sync n -now n -v PATH -w v "$@" 2>&1 | sed -n '/cannot run/p' | sort -u | head -n 20 >&2 ;;
esac
exit "$rc"
`

// Of at most a hundred that wait, in one command: why. Lists of scheduling information have a line for each queue.
export const queryScript = `me=$(id -un)
said=$(qstat -u "$me" -s prs -xml 2>&1) || { rc=$?; printf '%s\\n' "$said" >&2; exit "$rc"; }
printf '%s\\n' "$said"
set -- $(printf '%s\\n' "$said" | awk '
  /<JB_job_number>/ { gsub(/[^0-9]/, ""); id = $0 }
  /<state>[^<]*q/ { if (!(id in seen) && count < 100) { seen[id] = 1; count++; print id } }')
[ $# -gt 0 ] || exit 0
echo '== why'
ids=$(printf '%s,' "$@")
qstat -j "\${ids%,}" 2>/dev/null | awk '
  /^[A-Za-z]/ { kind = "" }
  /^job_number:/ { print; lines = 0 }
  /^error reason/ { print }
  /^scheduling info:/ { kind = "info" }
  kind == "info" && lines++ < 60 { print }'
exit 0
`

export const whereScript = `me=$(id -un)
printf 'job %s %s\\n' "$1" "$2"
exec qstat -u "$me" -s r -xml
`

// The script's path, as qsub was given it, tells whose job it is.
export const submittedScript = `me=$(id -un)
said=$(qstat -u "$me" -s prs -xml 2>&1) || { rc=$?; printf '%s\\n' "$said" >&2; exit "$rc"; }
printf '%s\\n' "$said" | sed -n 's/.*<JB_job_number>\\([0-9]*\\)<.*/\\1/p' | sort -u | xargs -n 200 echo | while read -r ids; do
  [ -n "$ids" ] || continue
  qstat -j "$(echo "$ids" | tr ' ' ,)" 2>/dev/null | sed -n '/^job_number:/p; /^script_file:/p'
done
exit 0
`

// qacct reads its whole file for each question: one question, and of the answer what was asked for.
export const historyScript = `me=$(id -un)
command -v qacct >/dev/null 2>&1 || exit 127
{
  printf 'want %s\\n' "$@"
  qacct -o "$me" -j 2>&1
  printf 'farcall-rc %s\\n' "$?"
} | awk '
  $1 == "want" && !begun { wanted[$2] = 1; next }
  $1 == "farcall-rc" { rc = $2; next }
  /^=====/ { begun = 1; wants = 0; next }
  !begun { said = said $0 "\\n"; next }
  $1 == "hostname" { host = $0 }
  $1 == "jobnumber" { wants = ($2 in wanted); if (wants) { print "====="; print; print host } }
  wants && $1 ~ /^(taskid|slots|failed|exit_status|ru_wallclock|ru_maxrss|cpu|maxvmem|category)$/ { print }
  END { if (rc != 0 && !begun) { printf "%s", said | "cat 1>&2"; exit rc } }'
`

// What is gone already is no failure.
export const cancelScript = `said=$(qdel "$@" 2>&1) && exit 0
rc=$?
case $rc in 126|127) printf '%s\\n' "$said" >&2; exit "$rc" ;; esac
left=$(printf '%s\\n' "$said" | grep -v -e 'has registered the' -e 'has deleted' -e 'does not exist' -e 'do not exist' -e 'already in deletion' -e '^[[:space:]]*$')
[ -n "$left" ] || exit 0
printf '%s\\n' "$left" >&2
exit "$rc"
`

/**
 * $1: resources, with commas between. Queues with what each of their nodes has, and what jobs have of that; of thousands of
 * jobs no more than is counted. Then the time that each queue allows.
 */
export const capacityScript = `said=$(qstat -f -F "$1" -r -s rs -xml -u '*') || exit
printf '%s\\n' "$said" | grep -v -E '<(JB_name|JB_owner|JAT_|full_job_name|binding|arch|load_avg|hard_req_queue|requested_pe|granted_pe)'
echo '== limits'
qconf -sq '*' 2>/dev/null | awk '$1 == "qname" || $1 == "h_rt"'
exit 0
`

// $1: 'mine', or '' for everybody's.
export const everyoneScript = `me=$(id -un)
printf 'me %s\\nzone %s\\n' "$me" "$(date +%z)"
whose='*'
[ -z "$1" ] || whose=$me
exec qstat -u "$whose" -s prs -r -xml
`

/**
 * What a site has: its limits, its resources, and of its parallel environments those up to the first that stays on one
 * node, likely names first.
 */
export const siteScript = `command -v qconf >/dev/null 2>&1 || exit 127
echo '== configuration'
qconf -sconf || exit
echo '== complexes'
qconf -sc || exit
asked=0
for pe in $(qconf -spl 2>/dev/null | awk '
  /^(smp|shm|threads?|threaded|openmp|omp|multithread|multicore|sharedmem|parallel|local|serial)$/ { print 1, $1; next }
  /smp|thread|omp|shm|shared|core|single|local/ { print 2, $1; next }
  { print 3, $1 }' | sort -k 1,1n -s | cut -d ' ' -f 2); do
  text=$(qconf -sp "$pe" 2>/dev/null) || continue
  printf '== pe\\n%s\\n' "$text"
  case $text in *'$pe_slots'*) break ;; esac
  asked=$((asked + 1))
  [ "$asked" -lt 40 ] || break
done
exit 0
`

// $1 its node, $2 -t or '', $3 the command as text; then the command. A node is reached by ssh, as sites allow for one's own jobs.
export const besideScript = `node=$1 terminal=$2 text=$3
shift 3
here=$(uname -n)
if [ "$node" = localhost ] || [ "\${node%%.*}" = "\${here%%.*}" ]; then exec "$@"; fi
exec ssh $terminal -o BatchMode=yes "$node" "$text"
`
