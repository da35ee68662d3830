/** The sh scripts that run PBS's and Torque's commands; ids and options come by arguments, never by interpolation. */

/** Users' defaults that would change what commands say or do. */
const cleanEnvironment = `unset PBS_QSTAT_NO_NODE_NAME PBS_QSTAT_EXECONLY PBS_DPREFIX NODE_OPTIONS farcall_native
`

export const submitScript = `${cleanEnvironment}exec qsub "$@"
`

/**
 * Of qstat's full answer, the lines that are asked for, continuation lines joined (what follows their tab is the value's
 * own, spaces too): ten thousand members would else be
 * tens of MB. Its exit code is the last line. Not -F json: that is no JSON for some jobs (openpbs issue 2541), and some
 * versions name only the first of several (issue 2672).
 */
const keep = (fields: string) => `awk '
  function flush() { if (kept != "") print kept; kept = "" }
  /^\\t/ || /^        / { if (kept != "") { sub(/^(\\t|        )/, ""); kept = kept $0 } next }
  { flush() }
  /^Job Id: / { kept = $0; next }
  /^    (${fields}) = / { kept = $0; next }
  /^farcall-exit / { kept = $0 }
  END { flush() }'`

const ownFields =
  'job_state|[Ee]xit_status|substate|comment|depend|Hold_Types|resources_used\\.(mem|cput|walltime)|Resource_List\\.(mem|walltime)|exec_host|[Ss]ubmit_arg(ument)?s'
const everyonesFields =
  'Job_Name|Job_Owner|queue|job_state|substate|comment|depend|Hold_Types|resources_used\\.walltime|Resource_List\\.(mem|walltime|ncpus|ngpus|nodect|nodes|select)|exec_host|[cq]time|stime|start_time|array_state_count'

// All jobs of this user, whichever program made them: one answer serves all.
export const queryScript = `${cleanEnvironment}ids=$(qselect -u "$(id -un)") || exit
[ -n "$ids" ] || exit 0
# shellcheck disable=SC2086
{ qstat -f -t $ids; printf 'farcall-exit %s\\n' "$?"; } | ${keep(ownFields)}`

// $1: the option for jobs that have ended, or ''; then ids.
export const historyScript = `${cleanEnvironment}ended=$1
shift
[ $# -gt 0 ] || exit 0
{ qstat $ended -f -t "$@"; printf 'farcall-exit %s\\n' "$?"; } | ${keep(ownFields)}`

// What has ended, or is not known any more, needs no end.
export const cancelScript = `${cleanEnvironment}[ $# -gt 0 ] || exit 0
said=$(qdel "$@" 2>&1) && exit 0
code=$?
[ "$code" -ne 127 ] || { printf '%s\\n' "$said" >&2; exit 127; }
rest=$(printf '%s\\n' "$said" | grep -Eiv 'unknown job ?id|has finished|invalid state for job|invalid (job )?state|^$' || true)
[ -n "$rest" ] || exit 0
printf '%s\\n' "$rest" >&2
exit "$code"
`

// What the server is set to, and who asks. Attributes that nobody has set are not in it.
export const limitsScript = `${cleanEnvironment}qmgr -c 'list server' || exit
printf 'farcall-user %s\\n' "$(id -un)"
`

/**
 * Queues, which of them is the default, and nodes; where nodes are told to nobody, or the command is not there, queues alone.
 * Text, and not -F json: a quote in a node's comment makes that no JSON (openpbs pull request 830).
 */
export const capacityScript = `${cleanEnvironment}qstat -Q -f || exit
echo '== server'
qstat -B -f 2>/dev/null | grep '^ *default_queue = '
echo '== nodes'
pbsnodes -a 2>/dev/null
exit 0
`

// $1: 'mine', or '' for everybody's.
export const everyoneScript = `${cleanEnvironment}me=$(id -un)
printf 'me %s\\nzone %s\\n' "$me" "$(date +%z)"
if [ -z "$1" ]; then set --; else
  # shellcheck disable=SC2046
  set -- $(qselect -u "$me")
  [ $# -gt 0 ] || exit 0
fi
{ qstat -f "$@"; printf 'farcall-exit %s\\n' "$?"; } | ${keep(everyonesFields)}`
