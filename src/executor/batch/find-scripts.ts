import { exits } from './script-exits.ts'

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
