/** The sh scripts that run Slurm's commands; ids and options come by arguments, never by interpolation. */

/**
 * Variables that a surrounding Slurm job (a notebook in an allocation, a member that submits) would hand down:
 * its SLURM_ARRAY_TASK_ID and SLURM_RESTART_COUNT would pass for the new job's own.
 */
const cleanEnvironment = `for v in $(env | sed -n 's/^\\(SLURM_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
  case $v in SLURM_CONF|SLURM_CONF_SERVER|SLURM_CLUSTERS|SLURM_JWT) ;; *) unset "$v" ;; esac
done
`

/** Users' defaults for a command's output: filters and formats that would hide jobs from us. */
const cleanPrefix = (prefix: string) =>
  `for v in $(env | sed -n 's/^\\(${prefix}_[A-Za-z0-9_]*\\)=.*/\\1/p'); do unset "$v"; done
`

// Account, partition and the like may come from SBATCH_ variables, as the user has it; what we decide may not.
export const submitScript = `${cleanEnvironment}unset NODE_OPTIONS farcall_native SBATCH_ARRAY_INX SBATCH_WAIT SBATCH_ERROR SBATCH_INPUT SBATCH_TEST_ONLY SBATCH_WRAP
exec sbatch "$@"
`

const fields = ['ArrayJobID', 'ArrayTaskID', 'State', 'RestartCnt', 'Reason']

// Width 0 is 'as wide as it is'. Slurms that lack a field of --Format fall back to --format.
export const queryScript = `${cleanEnvironment}${cleanPrefix('SQUEUE')}SLURM_BITSTR_LEN=0; export SLURM_BITSTR_LEN
me=$(id -u)
ask() {
  if said=$(squeue "$@" --noheader --all --user="$me" --Format='${fields.map((field) => `${field}:0|`).join(',')}' 2>&1)
  then printf '%s\\n' "$said"
  else
    case $said in
      *'nvalid job format'*) squeue "$@" --noheader --all --user="$me" --format='%F|%K|%T||%r|' ;;
      *) printf '%s\\n' "$said" >&2; return 1 ;;
    esac
  fi
}
for cluster do
  case $cluster in
    .) ask || exit ;;
    *) printf 'CLUSTER: %s\\n' "$cluster"; ask --clusters="$cluster" || exit ;;
  esac
done
`

// The script's path, as sbatch was given it, tells whose job it is.
export const submittedScript = `${cleanEnvironment}${cleanPrefix('SQUEUE')}squeue --noheader --all --user="$(id -u)" --Format='ArrayJobID:0|,Command:0|'
`

export const historyScript = `${cleanEnvironment}${cleanPrefix('SACCT')}SLURM_TIME_FORMAT=%s; export SLURM_TIME_FORMAT
for group do
  case $group in
    *\\;*) printf 'CLUSTER: %s\\n' "\${group##*;}"; set -- --clusters="\${group##*;}" ;;
    *) set -- ;;
  esac
  sacct "$@" --jobs="\${group%%;*}" --noheader --parsable2 --noconvert \\
    --format=JobID,State,ExitCode,UID,MaxRSS,End,ElapsedRaw,TotalCPU || exit
done
`

// Not -o: on one line a job's name could pass for its state.
export const recentScript = `${cleanEnvironment}${cleanPrefix('SCONTROL')}for job do
  case $job in
    *\\;*) printf 'CLUSTER: %s\\n' "\${job##*;}"; set -- --clusters="\${job##*;}" ;;
    *) set -- ;;
  esac
  said=$(scontrol "$@" show job "\${job%%;*}" 2>&1) || case $said in
    *'nvalid job id'*) continue ;;
    *) printf '%s\\n' "$said" >&2; exit 1 ;;
  esac
  printf '%s\\n' "$said"
done
`

export const cancelScript = `${cleanEnvironment}${cleanPrefix('SCANCEL')}status=0
for group do
  case $group in
    *\\;*) set -- --clusters="\${group##*;}" ;;
    *) set -- ;;
  esac
  # shellcheck disable=SC2046
  scancel --quiet "$@" $(printf '%s' "\${group%%;*}" | tr , ' ') || status=$?
done
exit $status
`

/**
 * How many members an array may have: MaxArraySize, and where limits are enforced, how many jobs the user may have
 * submitted. A slurmdbd that is away keeps nobody waiting for long.
 */
export const sizeLimitScript = `${cleanEnvironment}config=$(scontrol show config)
printf '%s\\n' "$config" | grep -E '^(MaxArraySize|SchedulerParameters) '
printf '%s\\n' "$config" | grep -Eq '^AccountingStorageEnforce .*(limits|safe)' || exit 0
ask() {
  kind=$1
  shift
  if command -v timeout >/dev/null 2>&1; then set -- timeout 5 "$@"; fi
  "$@" 2>/dev/null | sed "s/^/$kind|/"
}
ask association sacctmgr --noheader --parsable2 show associations where user="$(id -un)" format=MaxSubmitJobs,QOS
ask qos sacctmgr --noheader --parsable2 show qos format=Name,MaxSubmitJobsPU
`

const nodeFields = [
  'Partition',
  'NodeHost',
  'StateLong',
  'CPUsState',
  'Memory',
  'AllocMem',
  'Gres',
  'GresUsed',
]

/** The fields by which the columns of --Format are told apart: each as wide as it is. */
const formatOf = (fields: readonly string[]) => fields.map((field) => `${field}:0|`).join(',')

// One line a partition, then one for each node in it. SINFO_ variables would hide some, or format them.
export const capacityScript = `${cleanEnvironment}${cleanPrefix('SINFO')}sinfo --noheader --summarize --format='%P|%a|%l|%F|' || exit
echo '== nodes'
sinfo --noheader --Node --Format='${formatOf(nodeFields)}'
`

const jobFields = [
  'JobArrayID',
  'Partition',
  'UserName',
  'State',
  'NumNodes',
  'NumCPUs',
  'tres-alloc',
  'tres-per-job',
  'tres-per-node',
  'SubmitTime',
  'StartTime',
  'TimeUsed',
  'TimeLimit',
  'NodeList',
  'Reason',
  // Last: it may hold anything.
  'Name',
]

// $1: 'mine', or '' for everybody's.
export const everyoneScript = `${cleanEnvironment}${cleanPrefix('SQUEUE')}SLURM_TIME_FORMAT=%s; export SLURM_TIME_FORMAT
me=$(id -un)
printf 'me %s\\n' "$me"
[ -z "$1" ] && set -- || set -- --user="$me"
exec squeue "$@" --noheader --all --Format='${formatOf(jobFields)}'
`

// $1 the job, or a member as ID_K; $2 its cluster, or ''. The node that runs the batch script, and its address.
export const whereScript = `${cleanEnvironment}${cleanPrefix('SQUEUE')}job=$1
[ -z "$2" ] && set -- || set -- --clusters="$2"
said=$(squeue "$@" --noheader --jobs="$job" --states=RUNNING --array --format='%A|%B|' 2>&1) || case $said in
  *'nvalid job id'*) exit 0 ;;
  *) printf '%s\\n' "$said" >&2; exit 1 ;;
esac
line=$(printf '%s\\n' "$said" | grep '^[0-9]*|..*|' | head -n 1)
[ -n "$line" ] || exit 0
node=\${line#*|}
node=\${node%|*}
printf '%s%s\\n' "$line" "$(scontrol "$@" show node "$node" 2>/dev/null | sed -n 's/.*NodeAddr=\\([^ ]*\\).*/\\1/p')"
`

// $1 the job, $2 its node, $3 '--pty' or ''; then the command. Before 20.11 steps overlap anyway.
export const besideScript = `${cleanEnvironment}job=$1 node=$2 pty=$3
shift 3
case $(srun --help 2>&1) in *--overlap*) overlap=--overlap ;; *) overlap= ;; esac
exec srun --jobid="$job" $overlap --nodelist="$node" --nodes=1 --ntasks=1 --quiet $pty "$@"
`
