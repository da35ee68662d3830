/** What transfers do at the far end, one command each: POSIX sh, for GNU's tools and busybox's. */
import { beginScript as begin } from './scripts.ts'

export { readScript } from './scripts.ts'

/**
 * Unpacks an archive from stdin whose folders are called 0, 1, 2 … and moves what is in them where it belongs: a reader
 * sees the old file or the new one. $1 the folder, then the folders below it that 0, 1, 2 … stand for.
 */
export const unpackScript = `${begin}
path "$1"
shift
mkdir -p -- "$v" || exit 1
inside
t=.farcall-in.$$
trap 'rm -rf "$t"' EXIT
(umask 077; mkdir "$t") && tar -xpof - -C "$t" || exit 1
i=0
for d; do
  word "$d"
  to=./$v
  [ -d "$to" ] || mkdir -p -- "$to" || exit 1
  for f in "$t/$i"/* "$t/$i"/.[!.]* "$t/$i"/..?*; do
    f=$to/\${f#"$t/$i/"}
    [ ! -d "$f" ] || [ -L "$f" ] || { printf '%s: Is a directory\\n' "$f" >&2; exit 1; }
    [ ! -L "$f" ] || [ ! -d "$f" ] || rm -f -- "$f"
  done
  (cd -- "$to" && echo) >/dev/null || exit 1
  find "$t/$i/." ! -name . -exec sh -c 'mv -f -- "$@" "$0"' "$to" {} + || exit 1
  i=$((i + 1))
done`

/** Packs what stdin names, each ended by NUL. Several archives in a row, when it is much. $1 the folder, $2 -h: what links lead to. */
export const packScript = `${begin}
path "$1"
inside
# GNU's reads \\n in a name as a newline
case $(tar --version 2>/dev/null) in *GNU*) plain=--no-unquote ;; *) plain= ;; esac
exec xargs -0 tar \${plain:+"$plain"} \${2:+"$2"} -cf - --`

/** Makes folders that stdin names. $1 the folder that they lie in. */
export const foldersScript = `${begin}
path "$1"
mkdir -p -- "$v" || exit 1
inside
exec xargs -0 mkdir -p --`

/**
 * How many bytes of an earlier try are there; those for other versions of the file go. What a transport was cut in has its
 * bytes in order but for the last few megabytes, which it has on the way together. $1 its path, $2 the file's name, $3
 * bytes that are on the way together.
 */
export const partialScript = `${begin}
word "$2"
name=$v
path "$1"
up=\${v%/*}
mkdir -p -- "$up" || exit 1
for f in "$up/.$name.farcall-"*; do
  case $f in "$v" | "$v.pieces") ;; *) [ ! -e "$f" ] || rm -rf -- "$f" ;; esac
done
if [ -f "$v.pieces/whole" ]; then mv -f -- "$v.pieces/whole" "$v" || exit 1; fi
if [ ! -f "$v" ]; then
  best= most=0
  for f in "$v.pieces"/.put-*; do
    [ -f "$f" ] || continue
    size=$(wc -c <"$f") || exit 1
    if [ "$((size))" -gt "$((most + $3))" ]; then best=$f most=$((size - $3)); fi
  done
  if [ -n "$best" ]; then
    dd if=/dev/null of="$best" bs=1 seek="$most" 2>/dev/null && mv -f -- "$best" "$v" || exit 1
  fi
fi
rm -rf -- "$v.pieces"
if [ -f "$v" ]; then size=$(wc -c <"$v") || exit 1; echo "$((size))"; else echo 0; fi`

/** How much of what is on its way is there, and `whole` once it is all of it. $1 its path. */
export const arrivedScript = `${begin}
path "$1"
[ ! -f "$v.pieces/whole" ] || { echo whole; exit; }
for f in "$v.pieces"/.put-*; do
  [ ! -f "$f" ] || { size=$(wc -c <"$f"); echo "$((size))"; exit; }
done`

/** Adds stdin to a file. $1 its path, $2 the size that it has before. */
export const addScript = `${begin}
path "$1"
[ "$2" -gt 0 ] || (umask 077; : >"$v") || exit 1
size=$(wc -c <"$v") || exit 1
[ "$((size))" -eq "$2" ] || { echo "$((size)) bytes are there, and not $2" >&2; exit 1; }
exec cat >>"$v"`

/** $1 what is left of a try. */
export const dropScript = `${begin}
path "$1"
exec rm -rf -- "$v" "$v.pieces"`

/** Puts a file in its place. $1 its name so far, $2 its own, $3 mode, $4 size, $5 time, $6 sha256 ('': not looked at). */
export const finishScript = `${begin}
path "$2"
to=$v
path "$1"
fail() { rm -rf -- "$v" "$v.pieces"; printf '%s\\n' "$1" >&2; exit 1; }
[ ! -d "$to" ] || [ -L "$to" ] || fail 'Is a directory'
if [ -f "$v.pieces/whole" ]; then mv -f -- "$v.pieces/whole" "$v" || exit 1; fi
size=$(wc -c <"$v") || exit 1
[ "$((size))" -eq "$4" ] || fail "$((size)) bytes have arrived of $4"
if [ -n "$6" ] && command -v sha256sum >/dev/null 2>&1; then
  sum=$(sha256sum <"$v")
  [ "\${sum%% *}" = "$6" ] || fail 'what was continued is not the file: try again'
fi
dd if=/dev/null of="$v" conv=notrunc,fsync 2>/dev/null
[ ! -L "$to" ] || [ ! -d "$to" ] || rm -f -- "$to"
touch -d "@$5" -- "$v" 2>/dev/null || TZ=UTC0 touch -t "$(TZ=UTC0 date -d "@$5" +%Y%m%d%H%M.%S)" -- "$v" || exit 1
rm -rf -- "$v.pieces"
chmod "$3" -- "$v" && mv -f -- "$v" "$to"`

/** sha256 of what stdin names. $1 the folder. */
export const hashScript = `${begin}
path "$1"
inside
exec xargs -0 sha256sum --`

/** What links lead to that stdin names, each ended by NUL. $1 the folder. */
export const targetsScript = `${begin}
path "$1"
inside
exec xargs -0 sh -c 'for l; do readlink -n -- "$l" || exit 1; printf "\\0"; done' sh`

/** Removes what stdin names. $1 the folder; 90: it is the home folder, or above it, where a mistake would take everything. */
export const removeBelowScript = `${begin}
path "$1"
inside
real=$(pwd -P) || exit 1
home=$(cd -P -- "$HOME" 2>/dev/null && pwd -P) || home=$HOME
case \${home%/}/ in "\${real%/}"/*) exit 90 ;; esac
exec xargs -0 rm -rf --`
