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

/** Whether node/$1 holds a Node of the size that it had when it was put there; sets glibc to what it needs. */
const isRuntime = `is_runtime() {
  read -r glibc size 2>/dev/null <"node/$1/needs" || return 1
  set -- $(ls -dn "node/$1/bin/node" 2>/dev/null)
  [ "\${5-}" = "$size" ]
}`

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

/** What a shell reads to get the command \`module\`. */
const moduleFiles =
  '/etc/profile.d/*module*.sh /etc/profile.d/*lmod*.sh /usr/share/modules/init/sh /usr/share/lmod/lmod/init/sh'

/**
 * Makes the work folder and says what this machine is. $1: the names of blobs that we may need, the rest: none.
 * The folder itself is an expression, see shellPath.
 */
export const probeScript = (workdir: string): string => `umask 077
w=${workdir} || exit ${exits.unusable}
case $w in /*) ;; *) w=$HOME/$w ;; esac
mkdir -p -- "$w/blobs" "$w/jobs" "$w/inbox" && cd -- "$w" || exit ${exits.unusable}
: >"inbox/.probe.$$" && rm -f "inbox/.probe.$$" || exit ${exits.unusable}
printf 'workdir %s\\n' "$(pwd)"
printf 'folder %s\\n' "$(ls -ldn .)"
printf 'uid %s\\n' "$(id -u)"
printf 'cores %s\\n' "$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)"
printf 'time %s\\n' "$(date +%s)"
[ ! -f clean/stamp ] || printf 'cleaned %s\\n' "$(date -r clean/stamp +%s)"
for b; do [ -f "blobs/$b" ] && printf 'blob %s %s\\n' "$b" "$(wc -c <"blobs/$b")"; done
${isRuntime}
for n in node/[0-9]*-linux-*/needs; do
  n=\${n#node/} n=\${n%/needs}
  ! is_runtime "$n" || printf 'node %s %s\\n' "$n" "$glibc"
done
# Without a node here there may be none where jobs run.
command -v node >/dev/null 2>&1 || command -v nodejs >/dev/null 2>&1 || {
  printf 'arch %s\\nlibc %s\\n' "$(uname -m)" "$(getconf GNU_LIBC_VERSION 2>/dev/null)"
  command -v module >/dev/null 2>&1 || ls -d ${moduleFiles} >/dev/null 2>&1 || echo 'modules none'
}
exit 0`

/** Words of a scheduler that may have taken a job, and has not come to say so: a controller that is busy, mostly. */
const lostAnswer =
  'timed out|end of file|zero bytes|communication failure|connection reset|broken pipe|failed receiving gdi request'

/**
 * Puts a job in its place and submits it. $1 workdir, $2 id, $3 attempt, $4 client, $5 KiB and $6 hundredths of a
 * percent: with less than both free it is refused, $7 the name of a Node of ours that the job is to find ('': none), $8
 * where its arguments lie when they were too large to come along ('': in the tar), $9 number of blobs, then the blobs as name:size, then the submit command. stdin: a tar of the job's files and, in blobs/, of blobs.
 * The folder submit.<n> is made by mkdir before submitting: whoever finds it knows that this attempt was made. The
 * job's files are of whoever made it; the others get its spec, in the second line.
 * Every process costs a millisecond or more, so builtins do what they can.
 */
export const submitScript = `mask=$(umask)
umask 077
cd -- "$1" || exit ${exits.unusable}
id=$2 n=$3 client=$4 least=$5 share=$6 node=$7 args=$8 count=$9
shift 9
# The end of df's last line, up to the % sign: size, used, free and the share that is used. What it does not tell is no limit.
low() {
  while [ $# -gt 4 ]; do shift; done
  case $1$3 in '' | *[!0-9]*) return 1 ;; esac
  [ "$1" -gt 0 ] && [ "$3" -lt "$least" ] && [ "$(($3 * 10000))" -lt "$(($1 * share))" ] || return 1
  printf '%s %s\\n' "$3" "$1"
}
df=$(df -Pk . 2>/dev/null)
df=\${df##*'
'}
! low \${df%%%*} || { rm -f -- $args; exit ${exits.diskLow}; }
d=jobs/$id
s=$d/submit.$n
t=jobs/.in.$id.$n.$$
mkdir "$t" && tar -xof - -C "$t" && { [ -d "inbox/$client" ] || mkdir -p "inbox/$client"; } || {
  rm -rf "$t"
  exit ${exits.unusable}
}
if [ -d "$t/blobs" ]; then
  mv -f "$t"/blobs/* blobs/
  rmdir "$t/blobs"
fi
names= expected=
while [ "$count" -gt 0 ]; do
  names="$names blobs/\${1%:*}" expected="$expected $1"
  shift
  count=$((count - 1))
done
# Wordwise: names of blobs are hexadecimal. Touched, so that a purge by age passes them over.
[ -z "$node" ] || names="$names node/$node/bin/node node/$node/needs"
touch -c -- $names
# A cleaner may be taking away what it saw before that: see cleanScript. The pattern makes the shell list the folder.
for l in clean/loc[k]; do
  tries=50
  while [ -d "$l" ] && [ "$tries" -gt 0 ]; do
    sleep 0.1 2>/dev/null || sleep 1
    tries=$((tries - 1))
  done
  [ "$tries" -gt 0 ] || rmdir "$l" 2>/dev/null
done
${isRuntime}
missing=
[ -z "$node" ] || { names=\${names%% node/*}; is_runtime "$node" || missing=" node/$node"; }
have=" $(wc -c -- $names 2>/dev/null)"
for b in $expected; do
  case $have in *[!0-9]"\${b##*:} blobs/\${b%:*}"*) ;; *) missing="$missing \${b%:*}" ;; esac
done
[ -z "$missing" ] || { rm -rf "$t"; printf '%s\\n' "$missing"; exit ${exits.missingBlob}; }
# Jobs whose files are read: these stay for as long as this job's do, see isNeeded.
if [ -f "$t/parents" ]; then
  while read -r p; do
    [ -d "jobs/$p" ] && true >"jobs/$p/needed.$id" || {
      rm -rf "$t"
      rm -f -- $args
      printf '%s\n' "$p"
      exit ${exits.missingParent}
    }
  done <"$t/parents"
fi
fresh=
mkdir "$d" 2>/dev/null && fresh=1
for f in "$d/collected" "$d/kept"; do [ ! -e "$f" ] || rm -f "$f"; done
made=
# Whoever was refused takes the folder away: where there is none, the second mkdir is first, or says what hinders it.
if mkdir "$s" 2>/dev/null || { [ ! -d "$s" ] && mkdir "$s"; }; then
  { [ ! -f "$t/secrets" ] || mv -f "$t/secrets" "$s/"; } && { [ -z "$args" ] || mv -f "$args" "$d/args.pack"; } &&
    mv -f "$t"/* "$d/" && rmdir "$t" || {
    rm -rf "$t" "$s" $args
    [ -z "$fresh" ] || rm -rf "$d"
    exit ${exits.unusable}
  }
  # The job's files are made as the account has it: Slurm hands this mask on.
  (umask "$mask"; farcall_native=$PWD/$s/native exec "$@") >"$s/out" 2>"$s/err"
  rc=$?
  # The scheduler may have taken it and not come to say so: that is as if we had been cut off.
  if [ "$rc" -ne 0 ] && grep -Eqi '${lostAnswer}' "$s/err"; then
    cat "$s/err" >&2
    exit ${exits.unanswered}
  fi
  printf '%s\\n' "$rc" >"$s/rc"
else
  rm -rf "$t" $args
  [ -d "$s" ] || exit ${exits.unusable}
  rc=
  [ ! -f "$s/rc" ] || read -r rc <"$s/rc"
  [ -n "$rc" ] || exit ${exits.uncertain}
  f=$d/spec.$n.json
  [ "$n" -ne 1 ] || f=$d/spec.json
  [ ! -f "$f" ] || made=$(cat "$f")
fi
[ ! -s "$s/err" ] || cat "$s/err" >&2
date +%s
printf '%s\\n' "$made"
while IFS= read -r line || [ -n "$line" ]; do printf '%s\\n' "$line"; done <"$s/out"
[ "$rc" -eq 0 ] || { if [ -n "$fresh" ]; then rm -rf "$d"; else rm -rf "$s"; fi; }
exit "$rc"`

/**
 * Puts a Node that was uploaded in its place. $1 workdir, $2 its name, $3 where the compressed program lies, $4 bytes of
 * the program, $5 the glibc that it needs. Whoever finds one of the right size leaves it as it is.
 */
export const installRuntimeScript = `umask 077
cd -- "$1" || exit ${exits.unusable}
name=$2 incoming=$3 bytes=$4 needs=$5
f=node/$name t=.new.$$
trap 'rm -f "$incoming" "$f/bin/$t" "$f/$t"' EXIT
${isRuntime}
! is_runtime "$name" || exit 0
mkdir -p "$f/bin" && gzip -dc <"$incoming" >"$f/bin/$t" && chmod 700 "$f/bin/$t" || exit ${exits.unusable}
set -- $(ls -dn "$f/bin/$t")
[ "$5" = "$bytes" ] || { echo "$5 bytes instead of $bytes" >&2; exit ${exits.unusable}; }
printf '%s %s\\n' "$needs" "$bytes" >"$f/$t" && mv -f "$f/bin/$t" "$f/bin/node" && mv -f "$f/$t" "$f/needs" || exit ${exits.unusable}`

/**
 * Tells members that wait for a Node that none comes. $1 workdir, $2 why, then their run folders.
 */
export const refuseNodeScript = `umask 077
cd -- "$1" || exit ${exits.unusable}
why=$2
shift 2
for r; do
  [ ! -d "$r" ] || { printf '%s\\n' "$why" >"$r/.no-node" && mv -f "$r/.no-node" "$r/no-node"; } || exit ${exits.unusable}
done`

/**
 * What is known of a submission that has no exit code yet. $1 workdir, $2 id, $3 attempt, $4 its script, $5 its spec. Lines:
 * \`this FOLDER\`, or \`gone\`; \`spec JSON\`, \`rc CODE\`, \`native ID\` that the job itself left, \`out TEXT\` that the scheduler said, and
 * \`busy\` when a process on this machine is at it. [f] keeps grep from finding itself.
 */
export const cutOffScript = `cd -- "$1" || exit ${exits.unusable}
s=jobs/$2/submit.$3
[ -d "$s" ] || { echo gone; exit 0; }
ls -di "$s" | sed 's/^ */this /'
[ ! -s "$s/native" ] || sed 's/^/native /' "$s/native"
[ ! -s "$s/out" ] || sed 's/^/out /' "$s/out"
grep -ls "jobs/[f]\${2#f}/$4" /proc/[0-9]*/cmdline | sed 's/.*/busy/;q'
[ ! -s "$s/rc" ] || sed 's/^/rc /' "$s/rc"
[ ! -f "jobs/$2/$5" ] || printf 'spec %s\\n' "$(cat "jobs/$2/$5")"
exit 0`

/**
 * Takes a submission out of the way that surely came to nothing, unless another client has done so and made its own.
 * It is not removed, so that its number is not given again.
 * $1 workdir, $2 id, $3 attempt, $4 which folder it was: its number and name, as ls -di gave them.
 */
export const dropSubmissionScript = `cd -- "$1" || exit ${exits.unusable}
s=jobs/$2/submit.$3 t=jobs/$2/.submit.$3.$$
[ "$(ls -di "$s" 2>/dev/null | sed 's/^ *//')" = "$4" ] && mv "$s" "$t" 2>/dev/null && rm -f "$t/secrets"
exit 0`

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

/**
 * All that is known of jobs by their files. $1 workdir, then ids. For each: a line \`job ID\`, the specs of its
 * attempts, what their submissions gave, and the ends of its members, each line with its own mark in front.
 */
export const findScript = `cd -- "$1" || exit ${exits.unusable}
shift
for id; do
  [ -f "jobs/$id/spec.json" ] || continue
  printf 'job %s\\n' "$id"
  for s in "jobs/$id"/spec*.json; do printf 'spec %s\\n' "$(cat "$s")"; done
  for s in "jobs/$id"/submit.*; do
    if [ -f "$s/rc" ]; then printf 'submitted %s %s %s\\n' "\${s##*.}" "$(cat "$s/rc")" "$(head -n 1 "$s/out")"
    elif [ -s "$s/native" ]; then printf 'started %s %s\\n' "\${s##*.}" "$(head -n 1 "$s/native")"
    fi
  done
  printf '%s\\n' "jobs/$id"/run.*/en[d] | grep -v '\\[' | xargs cat -- | sed 's/^/end /'
done
exit 0`

/**
 * All jobs that lie here, as lines PATH:LINE of their specs, submissions and ends, and PATH: of their marks. $1 workdir.
 * One grep reads a thousand files; /dev/null has it name them when there is only one. A file that goes meanwhile is
 * passed over.
 */
export const listScript = `cd -- "$1" || exit ${exits.unusable}
printf '%s\\n' jobs/f*/spec*.jso[n] jobs/f*/submit.*/r[c] jobs/f*/submit.*/ou[t] jobs/f*/submit.*/nativ[e] \\
  jobs/f*/run.*/en[d] |
  grep -v '\\[' | LC_ALL=C xargs grep -s '' /dev/null
printf '%s:\\n' jobs/f*/collecte[d] jobs/f*/kep[t] | grep -v '\\['
exit 0`

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

/** The last run of a member by its attempt: the scheduler may have restarted it. $1 job folder, $2 attempt, $3 its next, $4 member. */
export const latestRunScript = `cd -- "$1" || exit ${exits.unusable}
last=$2
for r in run.*."$4"; do
  n=\${r#run.}
  n=\${n%%.*}
  case $n in *[!0-9]*) continue ;; esac
  [ "$n" -le "$last" ] || [ "$n" -ge "$3" ] || last=$n
done
printf '%s\\n' "$last"`

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

/** Removes inboxes that are empty. $1 workdir, then the inboxes. rmdir leaves what is not empty, and says so. */
export const tidyScript = `cd -- "$1" || exit ${exits.unusable}
shift
rmdir -- "$@" 2>/dev/null
exit 0`
