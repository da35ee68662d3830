/** What files are done with at the far end, one command each: POSIX sh, for GNU's tools and busybox's. */
import { decodeWord } from './words.ts'

export const beginScript = `LC_ALL=C
export LC_ALL
${decodeWord}
`

/**
 * Does something with all below a folder that fits. $1 folder, $2 mark, $3 how far down ('': all the way), $4 type of
 * find ('': any), then patterns of names.
 */
const walking = (action: string, walk: string) => `${beginScript}
path "$1"
inside
mark=$2 depth=$3 type=$4
shift 4
n=$#
while [ "$n" -gt 0 ]; do
  word "$1"
  shift
  set -- "$@" -o -name "$v"
  n=$((n - 1))
done
if [ $# -gt 0 ]; then
  shift
  set -- '(' "$@" ')'
fi
[ -z "$type" ] || set -- -type "$type" "$@"
deep=.
while [ "\${depth:-0}" -gt 0 ]; do
  deep="$deep/*" depth=$((depth - 1))
done
set -- "$@" -exec ${action} {} +
walk() {
  if [ "$deep" = . ]; then find . ! -name . "$@"
  else find . ! -name . '(' -path "$deep" -prune -o -name '*' ')' "$@"; fi
}
${walk}`

/** An entry a line behind a mark that nobody can guess: a name may hold newlines. */
export const findScript = walking('stat -c "$mark %f %s %Y %u %g %n" --', 'walk "$@"')

/** How many files fit. */
export const countScript = walking(
  "sh -c 'echo $#' sh",
  `{
  walk "$@"
  echo "exit $?"
} | awk '$1 == "exit" { rc = $2; next } { sum += $1 } END { print sum + 0; exit rc }'`,
)

/** $1 path, $2 format, $3 -L or ''. */
export const statScript = `${beginScript}
path "$1"
exec stat \${3:+"$3"} -c "$2" -- "$v"`

/** Says whether there is something of this kind. $1 path, $2 e, d or f. What cannot be looked at is no answer. */
export const testScript = `${beginScript}
path "$1"
if [ -"$2" "$v" ]; then echo yes; exit 0; fi
[ ! -e "$v" ] && [ ! -L "$v" ] || { echo no; exit 0; }
said=$(ls -d -- "$v" 2>&1) || case $said in
  *'ermission denied'*) printf '%s\\n' "$said" >&2; exit 1 ;;
esac
echo no`

/** Sizes of all below a path, files with several names once. Prints bytes, allocated, files, folders. $1 path. */
export const usageScript = `${beginScript}
path "$1"
if [ -d "$v" ] && [ ! -L "$v" ]; then
  inside
  v=.
else ls -d -- "$v" >/dev/null || exit 1; fi
{ find "$v" -exec stat -c '%F,%s,%b,%h,%d:%i' -- {} +; echo "$?"; } | awk -F , '
  NF < 5 { rc = $1; next }
  $1 != "directory" && $4 > 1 && seen[$5]++ { next }
  $1 ~ /^regular/ { bytes += $2; files++ }
  $1 == "directory" { folders++ }
  { allocated += $3 * 512 }
  END { printf "%.0f %.0f %.0f %.0f\\n", bytes, allocated, files, folders; exit rc }'`

/** Prints what fits patterns without **, each name ended by NUL. All arguments are patterns. */
export const globScript = `${beginScript}
IFS=
for p; do
  word "$p"
  case $v in '~/'*) h=$HOME/ v=\${v#'~/'} k='~/' ;; *) h= k= ;; esac
  [ -z "$h" ] || cd -- "$h"
  for f in $v; do
    if [ -e "$f" ] || [ -L "$f" ]; then printf '%s\\0' "$k$f"; fi
  done
  [ -z "$h" ] || cd -- "$OLDPWD"
done`

/** Prints the bytes of a file. $1 path, $2 the first byte from 1, $3 how many ('': all). */
export const readScript = `${beginScript}
path "$1"
[ ! -d "$v" ] || { echo 'Is a directory' >&2; exit 1; }
exec <"$v"
if [ "$2" -le 1 ]; then from=cat; else from="tail -c +$2"; fi
if [ -z "$3" ]; then $from; else $from | head -c "$3"; fi`

/** $1 path. */
export const makeFolderScript = `${beginScript}
path "$1"
exec mkdir -p -- "$v"`

/** $1 path, $2 recursive, $3 force. What it refuses it says with exit code 90, 91 or 92. */
export const removeScript = `${beginScript}
path "$1"
if [ ! -e "$v" ] && [ ! -L "$v" ]; then
  said=$(ls -d -- "$v" 2>&1)
  case $3,$said in
    yes,*'No such file'* | yes,*'Not a directory'*) exit 0 ;;
  esac
  printf '%s\\n' "$said" >&2
  exit 1
fi
if [ ! -d "$v" ] || [ -L "$v" ]; then exec rm -f -- "$v"; fi
case \${v##*/} in . | ..) [ "$v" != . ] || v=$PWD ;; esac
real=$(cd -P -- "$v" 2>/dev/null && pwd -P) || real=
home=$(cd -P -- "$HOME" 2>/dev/null && pwd -P) || home=$HOME
case $real in
  /) exit 90 ;;
  "$home") exit 91 ;;
esac
case $home in "$real"/*) [ -z "$real" ] || exit 92 ;; esac
if [ "$2" = yes ]; then exec rm -rf -- "$v"; fi
exec rmdir -- "$v"`

/** As rename(2): replaces a file, or an empty folder by a folder. $1 from, $2 to. */
export const renameScript = `${beginScript}
path "$2"
to=$v
path "$1"
ls -d -- "$v" >/dev/null || exit 1
up=\${to%/*}
[ -z "$up" ] || [ -d "$up" ] || mkdir -p -- "$up" || exit 1
if [ -L "$to" ] && [ -d "$to" ]; then rm -f -- "$to" || exit 1
elif [ -d "$to" ]; then
  if [ -d "$v" ] && [ ! -L "$v" ]; then
    [ "$v" -ef "$to" ] 2>/dev/null || rmdir -- "$to" || exit 1
  else echo 'Is a directory' >&2; exit 1; fi
elif [ -e "$to" ] && [ -d "$v" ] && [ ! -L "$v" ]; then
  echo 'Not a directory' >&2
  exit 1
fi
exec mv -f -- "$v" "$to"`

/** Adds stdin to a file, which it makes with its folders when $2 is `new`. $1 path. */
export const appendScript = `${beginScript}
path "$1"
if [ "$2" = new ]; then
  up=\${v%/*}
  [ -z "$up" ] || [ -d "$up" ] || mkdir -p -- "$up" || exit 1
  umask 077
  : >"$v" || exit 1
fi
exec cat >>"$v"`

/** Puts a file that was written under another name in its place. $1 that name, $2 its own, $3 mode, $4 size. */
export const placeScript = `${beginScript}
path "$2"
to=$v
path "$1"
if [ -d "$to" ] && [ ! -L "$to" ]; then
  rm -f -- "$v"
  echo 'Is a directory' >&2
  exit 1
fi
size=$(wc -c <"$v") || exit 1
[ "$((size))" -eq "$4" ] || { echo "$size bytes have arrived of $4" >&2; exit 1; }
dd if=/dev/null of="$v" conv=notrunc,fsync 2>/dev/null
[ ! -L "$to" ] || [ ! -d "$to" ] || rm -f -- "$to"
chmod "$3" -- "$v" && mv -f -- "$v" "$to"`
