import { isNeeded } from './removal-scripts.ts'
import { exits } from './script-exits.ts'

const jobPattern = `f${'[a-z2-7]'.repeat(13)}`

/**
 * Removes what is done with, in one command. $1 workdir, $2 `daily` (nothing when that was done within a day), `now`
 * or `dry` (only says what would go), then ages in seconds ('': never): $3 of the marker `collected`, $4 of the marker
 * `kept`, $5 of jobs that stdin names by id, $6 of blobs; $7 seconds after which it stops by itself (0: never),
 * with the jobs and then with the blobs.
 * Prints `job ID`, `blob NAME`, `kib N` and, when it stopped early, `more`.
 *
 * Only names that are exactly ours are touched, nothing is reached through a symbolic link, and ages are compared
 * with files whose time is that of a file just written there: the file server's clock, whatever that of others.
 *
 * A job's folder is moved away, looked at again and only then removed: a submission of the same id takes the marker
 * off before it goes on, and is given its folder back.
 *
 * A blob that a concurrent submission needs stays. The submission (1) touches it, (2) waits while clean/lock is there,
 * (3) looks whether it is there, and sends it again if not. The cleaner (a) makes clean/lock, (b) looks at the blob's
 * age, (c) moves it away, (d) takes the lock off. If (2) came before (a), so did (1), and (b) finds it young. Else (2)
 * ends after (d), and (3) sees what is left. Locks of the dead are broken after 5 s; should its owner only have slept,
 * it finds at (b) that the lock is gone; should it have slept just between (b) and (c), it finds the blob young after
 * it has moved it, and puts it back. Blobs that any job folder names, collected or not, are not looked at.
 * A Node of ours (node/NAME) goes by the same rules, and its program's age; it is printed as `blob node/NAME`.
 */
export const cleanScript = `umask 077
LC_ALL=C
export LC_ALL
cd -- "$1" || exit ${exits.unusable}
mode=$2 seconds=$7
[ ! -L clean ] && mkdir -p clean || exit ${exits.unusable}
t=clean/$$ o=.out.$$ locked= kib=0 batch= size=0 flushed=
trap 'rm -f "$t".*; [ -z "$locked" ] || rmdir clean/lock 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
true >"$t.now" && now=$(date -r "$t.now" +%s) || exit ${exits.unusable}
started=$(date +%s)

# A file $t.NAME that is $2 seconds old.
ago() {
  [ -n "$2" ] || return 0
  touch -d "@$((now - $2))" "$t.$1" 2>/dev/null ||
    TZ=UTC0 touch -t "$(TZ=UTC0 date -r "$((now - $2))" +%Y%m%d%H%M.%S)" "$t.$1" || exit ${exits.unusable}
}
ago day 86400
ago collected "$3"
ago kept "$4"
ago silent "$5"
ago blobs "$6"

# Is $1 there, no link, and at least as old as $t.$2?
aged() { [ -e "$1" ] && [ ! -L "$1" ] && [ -f "$t.$2" ] && [ ! "$1" -nt "$t.$2" ]; }
spent() { [ "$seconds" -gt 0 ] && [ "$(($(date +%s) - started))" -ge "$seconds" ]; }
weigh() { kib=$((kib + $(du -sk -- "$@" 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }'))); }

if [ "$mode" = daily ]; then
  [ ! -f clean/stamp ] || [ -L clean/stamp ] || aged clean/stamp day || exit 0
fi
# Renamed into place: a link of that name is replaced, not followed.
[ "$mode" = dry ] || { true >"$t.stamp" && mv -f "$t.stamp" clean/stamp; }

${isNeeded}
# Collected long enough ago; or cut off before anything was submitted.
over() {
  [ -d "$1" ] && [ ! -L "$1" ] && ! is_needed "$1" '' || return 1
  if [ -e "$1/kept" ]; then aged "$1/kept" kept; return; fi
  if [ -e "$1/collected" ]; then aged "$1/collected" collected; return; fi
  for f in "$1"/submit.* "$1"/run.*; do [ ! -e "$f" ] || return 1; done
  aged "$1" day
}
# Not collected, and nothing has happened in it for long.
silent() {
  [ -d "$1" ] && [ ! -L "$1" ] && ! is_needed "$1" '' && [ ! -e "$1/collected" ] && [ ! -e "$1/kept" ] || return 1
  for f in "$1" "$1"/submit.* "$1"/run.* "$1"/run.*/*; do
    [ ! -e "$f" ] || aged "$f" silent || return 1
  done
}
flush() {
  [ -n "$batch" ] || return 0
  if [ "$mode" = dry ]; then
    (cd jobs && du -sk -- $batch 2>/dev/null) | awk '{ sum += $1 } END { print "kib", sum + 0 }'
    printf 'job %s\\n' $batch
  else
    mkdir -p "jobs/$o" && (cd jobs && mv -- $batch "$o/")
    for j in $batch; do
      if "$1" "jobs/$o/$j"; then printf 'job %s\\n' "$j"; else mv -- "jobs/$o/$j" jobs/ 2>/dev/null; fi
    done
    weigh "jobs/$o"/f*
    rm -rf -- "jobs/$o"
  fi
  batch= size=0 flushed=1
}
take() {
  "$1" "jobs/$2" || return 0
  batch="$batch $2" size=$((size + 1))
  [ "$size" -lt 50 ] || flush "$1"
}
if [ ! -L jobs ]; then
  for d in jobs/${jobPattern}; do
    take over "\${d#jobs/}"
    [ -n "$flushed" ] || continue
    flushed=
    ! spent || { echo more; rm -f clean/stamp; break; }
  done
  flush over
  if [ -n "$5" ]; then
    while IFS= read -r j; do
      case $j in ${jobPattern}) take silent "$j" ;; esac
    done
    flush silent
  fi
fi

# What of $1* goes on in our own letters and is older than a day: left by what was cut off.
sweep() {
  for f in "$1"*; do
    case "\${f#"$1"}" in *[!a-z0-9.-]*) continue ;; esac
    case $f in "$t".*) continue ;; esac
    ! aged "$f" day || rm -rf -- "$f"
  done
}
notices() {
  for f in "$1"/${jobPattern}.* "$1"/.${jobPattern}.*; do
    name=\${f##*/}
    case $name in *[!a-z0-9.]*) continue ;; esac
    name=\${name#.}
    d=jobs/\${name%%.*}
    aged "$f" day || continue
    [ ! -d "$d" ] || [ -e "$d/collected" ] || [ -e "$d/kept" ] || continue
    printf '%s\\n' "$f"
  done
}
if [ "$mode" != dry ]; then
  sweep .queue.
  sweep clean/
  [ -L jobs ] || { sweep jobs/.in.; sweep jobs/.out.; }
  [ -L blobs ] || { sweep blobs/.out.; sweep blobs/.put-; }
  # Which archive was made of which packages, and what is left of making one.
  [ -L env ] || for f in env/*; do
    case \${f#env/} in
      *[!a-z0-9.]*) ;;
      *.*) ! aged "$f" day || rm -f -- "$f" ;;
      *) [ -z "$6" ] || ! aged "$f" blobs || rm -f -- "$f" ;;
    esac
  done
  [ -L node ] || { sweep node/.in.; sweep node/.out.; sweep node/.put-; }
  if [ ! -L inbox ] && [ ! -L jobs ]; then
    sweep inbox/.probe.
    for c in inbox/*; do
      case \${c#inbox/} in *[!a-z0-9]*) continue ;; esac
      [ -d "$c" ] && [ ! -L "$c" ] || continue
      empty=
      ! aged "$c" day || empty=1
      notices "$c" | xargs rm -f --
      # A job that ends later makes it again.
      [ -z "$empty" ] || rmdir -- "$c" 2>/dev/null
    done
  fi
fi

# Blobs have a time of their own. A list of what is named that is not whole names all: then none goes.
started=$(date +%s) partial=$t.partial
unused() {
  count=0 seen=0
  for b in blobs/*.*; do
    seen=$((seen + 1))
    [ "$((seen % 500))" -ne 0 ] || ! spent || break
    name=\${b#blobs/}
    hash=\${name%%.*}
    [ "\${#hash}" -eq 64 ] || continue
    case $hash in *[!0-9a-f]*) continue ;; esac
    case \${name#*.} in '' | *[!a-z0-9]*) continue ;; esac
    aged "$b" blobs || continue
    printf '%s\\n' "$name"
    count=$((count + 1))
    [ "$count" -lt 1000 ] || break
  done
}
specs() {
  seen=0
  for d in jobs/${jobPattern} jobs/.in.*; do
    seen=$((seen + 1))
    [ "$((seen % 500))" -ne 0 ] || ! spent || { true >"$partial"; break; }
    # What would have gone by now names nothing any more.
    [ "$mode" != dry ] || ! over "$d" || continue
    for f in "$d"/spec*.json; do
      case $f in *[!a-z0-9./]*) continue ;; esac
      [ ! -f "$f" ] || printf '%s\\n' "$f"
    done
  done
}
# Of unused ones those that no spec names. A spec that cannot be read may name any: then none goes.
unnamed() {
  {
    printf 'blob %s\\n' "$@"
    specs | xargs cat -- /dev/null && [ ! -e "$partial" ] && printf '\\nwhole\\n'
  } | awk '
    /^blob / { unused[$2]; next }
    $0 == "whole" { whole = 1; next }
    { n = split($0, words, /[^0-9a-f]+/); for (i = 1; i <= n; i++) if (length(words[i]) == 64) named[words[i]] }
    END { if (whole) for (name in unused) if (!(substr(name, 1, 64) in named)) print name }'
}
names=
[ -L blobs ] || [ -L jobs ] || [ -z "$6" ] || names=$(unused)
[ -z "$names" ] || names=$(unnamed $names)
if [ "$mode" = dry ] && [ -n "$names" ]; then
  (cd blobs && du -sk -- $names 2>/dev/null) | awk '{ sum += $1 } END { print "kib", sum + 0 }'
  printf 'blob %s\\n' $names
elif [ -n "$names" ] && mkdir clean/lock 2>/dev/null; then
  locked=1 going=
  seen=0
  for b in $names; do
    seen=$((seen + 1))
    [ "$((seen % 100))" -ne 0 ] || ! spent || break
    # Opened: NFS asks the server then for what it had remembered of it.
    ! true <"blobs/$b" || ! aged "blobs/$b" blobs || going="$going $b"
  done
  if [ -n "$going" ] && [ -d clean/lock ]; then
    mkdir -p "blobs/$o" && (cd blobs && mv -- $going "$o/")
    for b in $going; do
      if aged "blobs/$o/$b" blobs; then printf 'blob %s\\n' "$b"; else mv -f -- "blobs/$o/$b" blobs/ 2>/dev/null; fi
    done
  fi
  rmdir clean/lock 2>/dev/null
  locked=
  [ -z "$going" ] || weigh "blobs/$o"/*
  rm -rf -- "blobs/$o"
fi

# A Node of ours that no spec names; those of jobs that found it without are sent again.
is_named() { ! specs | xargs cat -- /dev/null >"$t.specs" || grep -qF "\\"folder\\":\\"$1\\"" "$t.specs"; }
is_unused() { [ ! -L "$1" ] && [ ! -L "$1/bin" ] && aged "$1/bin/node" blobs; }
if [ ! -L node ] && [ ! -L jobs ] && [ -n "$6" ]; then
  for d in node/[0-9]*-linux-*; do
    name=\${d#node/}
    case $name in *[!a-z0-9.-]*) continue ;; esac
    is_unused "$d" && ! is_named "$name" || continue
    if [ "$mode" = dry ]; then
      du -sk -- "$d" | awk '{ print "kib", $1 }'
      printf 'blob node/%s\\n' "$name"
    elif mkdir clean/lock 2>/dev/null; then
      locked=1
      if is_unused "$d" && [ -d clean/lock ] && mkdir "node/$o" && mv -- "$d" "node/$o/"; then
        if is_unused "node/$o/$name"; then
          printf 'blob node/%s\\n' "$name"
          weigh "node/$o/$name"
        else
          mv -- "node/$o/$name" "$d"
        fi
      fi
      rmdir clean/lock 2>/dev/null
      locked=
      rm -rf -- "node/$o"
    fi
  done
fi
printf 'kib %s\\n' "$kib"
exit 0`
