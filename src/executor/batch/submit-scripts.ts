import { isRuntime } from './place-scripts.ts'
import { exits } from './script-exits.ts'

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
words=
# What tar has to say of an archive that it unpacked (a clock that is behind ours) is not to stand before the scheduler's words.
mkdir "$t" && words=$(tar -xof - -C "$t" 2>&1) && { [ -d "inbox/$client" ] || mkdir -p "inbox/$client"; } || {
  [ -z "$words" ] || printf '%s\\n' "$words" >&2
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
 * What is known of a submission that has no exit code yet. $1 workdir, $2 id, $3 attempt, $4 its script, $5 its spec. Lines:
 * \`this FOLDER\`, or \`gone\`; \`spec JSON\`, \`rc CODE\`, \`native ID\` that the job itself left, \`out TEXT\` that the scheduler said, and
 * \`busy\` when a process on this machine is at it. [f] keeps grep from finding itself. The code is written last and looked for
 * first: where it is seen, what the scheduler said is seen as well.
 */
export const cutOffScript = `cd -- "$1" || exit ${exits.unusable}
s=jobs/$2/submit.$3
[ -d "$s" ] || { echo gone; exit 0; }
ls -di "$s" | sed 's/^ */this /'
[ ! -s "$s/rc" ] || sed 's/^/rc /' "$s/rc"
[ ! -s "$s/native" ] || sed 's/^/native /' "$s/native"
[ ! -s "$s/out" ] || sed 's/^/out /' "$s/out"
grep -ls "jobs/[f]\${2#f}/$4" /proc/[0-9]*/cmdline | sed 's/.*/busy/;q'
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
