import { exits } from './script-exits.ts'

/**
 * One answer of the scheduler for all of a user's farcall processes. $1 workdir, $2 name of the answer ('': not
 * shared), $3 seconds that an answer is good for, then the query. Prints the server's time of the answer first.
 * The folder asking.<name> keeps those who come together from asking together; whoever waits for it in vain asks.
 * Writes nothing that it needs: a full disk must not keep us from learning how a job ended.
 */
export const sharedQueryScript = `umask 077
cd -- "$1" || exit ${exits.unusable}
a=queue.$2 asking=asking.$2 good=$3 mine=
shift 3
answered() {
  now=$(date +%s)
  [ -f "$a" ] && read -r then rc <"$a" 2>/dev/null && [ "$((now - then))" -ge 0 ] && [ "$((now - then))" -lt "$good" ] &&
    { cat "$a"; exit "$rc"; }
}
if [ "$good" -gt 0 ]; then
  answered
  if mkdir "$asking" 2>/dev/null; then mine=1; else
    tries=15
    while [ -d "$asking" ] && [ "$tries" -gt 0 ]; do
      sleep 0.2 2>/dev/null || sleep 1
      answered
      tries=$((tries - 1))
    done
    mine=1
  fi
fi
now=$(date +%s)
out=$("$@")
rc=$?
printf '%s %s\\n%s\\n' "$now" "$rc" "$out"
if [ "$rc" -eq 0 ] && [ "$a" != queue. ]; then
  { printf '%s %s\\n%s\\n' "$now" "$rc" "$out" >".$a.$$" && mv -f ".$a.$$" "$a"; } 2>/dev/null || rm -f ".$a.$$"
fi
[ -z "$mine" ] || rmdir "$asking" 2>/dev/null
exit "$rc"`

/**
 * The ends of all members of jobs, whichever attempt. $1 workdir; stdin: ids, a line each. chmod makes an NFS client
 * ask the server about the folders anew. The pattern en[d] makes the shell list a folder: a name is opened only once
 * a listing shows it (NFS remembers names that were not there).
 */
export const endsScript = `cd -- "$1" || exit ${exits.unusable}
while read -r id; do
  chmod u+rwx "jobs/$id" "jobs/$id"/run.*/ 2>/dev/null
  printf '%s\\n' "jobs/$id"/run.*/en[d]
done | grep -v '\\[' | xargs cat --
exit 0`

/**
 * Keeps members from beginning, and marks those that have begun; then runs the command, which ends these. $1 workdir,
 * then the command; stdin: a line for each member, see claimOf. The folder is the guard, as it is in job.sh.
 */
export const cancelMembersScript = `umask 077
cd -- "$1" || exit ${exits.unusable}
shift
while read -r id n k client size end; do
  [ -d "jobs/$id" ] || continue
  r=jobs/$id/run.$n.$k
  if mkdir "$r" 2>/dev/null; then
    printf '%s\\n' "$end" >"$r/.end" && mv -f "$r/.end" "$r/end" && mkdir -p "inbox/$client" &&
      printf 'farcall-notice %s 0\\n%s\\n' "$size" "$end" >"inbox/$client/.$id.$n.$k" &&
      mv -f "inbox/$client/.$id.$n.$k" "inbox/$client/$id.$n.$k" || exit ${exits.unusable}
  else
    : >"$r/canceled" || exit ${exits.unusable}
  fi
done
exec "$@" </dev/null`
