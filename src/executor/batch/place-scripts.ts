import { exits } from './script-exits.ts'

/** What a shell reads to get the command \`module\`. */
const moduleFiles =
  '/etc/profile.d/*module*.sh /etc/profile.d/*lmod*.sh /usr/share/modules/init/sh /usr/share/lmod/lmod/init/sh'

/** Whether node/$1 holds a Node of the size that it had when it was put there; sets glibc to what it needs. */
export const isRuntime = `is_runtime() {
  read -r glibc size 2>/dev/null <"node/$1/needs" || return 1
  set -- $(ls -dn "node/$1/bin/node" 2>/dev/null)
  [ "\${5-}" = "$size" ]
}`

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
