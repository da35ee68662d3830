import { ConfigError, FarcallError, SubmitError } from '../core/errors.ts'
import type { CommandResult } from '../core/shell.ts'
import type { Measured } from '../core/usage.ts'
import { parseWarning } from '../core/warning-signal.ts'
import { capacityScript, parseCapacity } from './direct-capacity.ts'
import { oneNode } from './directives.ts'
import type { Directives, DirectiveTable, QueueSnapshot, RunningJob, Scheduler } from './scheduler.ts'
import { SnapshotBuilder } from './snapshot.ts'

/** What is composed, job.sh itself does: limit, time limit and warning have no scheduler behind them here. */
const directives: DirectiveTable = {
  name: 'composed',
  cores: 'composed',
  memoryBytes: 'composed',
  timeSeconds: 'composed',
  log: 'composed',
  array: 'composed',
  after: 'composed',
  gpus: 'unsupported',
  nodes: (count) => oneNode(count, 'direct'),
  tasksPerNode: 'composed',
  partition: 'unsupported',
  account: 'unsupported',
  qos: 'unsupported',
  constraint: 'unsupported',
  reservation: 'unsupported',
  nodelist: 'unsupported',
  exclude: 'unsupported',
  exclusive: 'unsupported',
  licenses: 'unsupported',
  dependency: 'unsupported',
  priority: 'unsupported',
  mailType: 'unsupported',
  mailUser: 'unsupported',
  signal: 'composed',
  requeue: 'unsupported',
  native: 'unsupported',
}

/**
 * A file left open in what outlives us would keep whoever reads its other end waiting, a CI runner say. dash can
 * close those up to 9 only, so bash does it where there is one.
 */
const chooseLeader = `leader=sh
! command -v bash >/dev/null 2>&1 || leader='bash --posix'
`
const closeFiles = `  for open in /proc/$$/fd/*; do
    number=\${open##*/}
    case $number in
      [012]) ;;
      [3-9]) eval "exec $number>&-" ;;
      *) [ -z "$BASH_VERSION" ] || eval "exec $number>&-" ;;
    esac
  done
`

/**
 * $1 the script, $2 its log. Whoever reports the id is the session leader itself, which then becomes the job:
 * pid = process group = session, and no moment at which it could be missed. Nothing ties it to us: no terminal, no
 * open file, its own session. Field 22 of /proc/PID/stat is the start time;
 * the name in field 2 may hold anything.
 */
const startScript = `file=$1 log=$2
command -v setsid >/dev/null 2>&1 && [ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ] || {
  echo 'direct needs Linux: setsid and /proc' >&2
  exit 127
}
[ -r "$file" ] || { echo "$file cannot be read" >&2; exit 1; }
(umask 077; : >>"$log") || exit 1
unset NODE_OPTIONS FARCALL_TASK_MARK
${chooseLeader}id=$(setsid $leader -c '
  read -r boot </proc/sys/kernel/random/boot_id
  read -r stat </proc/$$/stat
  { read -r host </proc/sys/kernel/hostname; } 2>/dev/null || host=$(uname -n)
  file=$1
  read -r first <"$file"
  set -f
  set -- \${stat##*") "}
  set +f
  id=$host:$boot:$$:\${20}
  # Whoever submits may be gone before it has read this.
  [ -z "$farcall_native" ] || printf "%s\\n" "$id" >"$farcall_native"
  unset farcall_native
  printf "%s\\n" "$id" >&3
${closeFiles}  set -f
  case $first in "#!"*) set -- \${first#"#!"} ;; *) set -- sh ;; esac
  exec "$@" "$file"
' sh "$file" 3>&1 </dev/null >>"$log" 2>&1 &)
case $id in
  *:*:*:*) printf '%s\\n' "$id" ;;
  *) tail -n 5 "$log" >&2; echo 'the process did not start' >&2; exit 1 ;;
esac
`

/** Sets host, boot, pid and start from $id, and says where it stands: alive, gone or away. */
const standing = `this=$(uname -n)
read -r now_boot </proc/sys/kernel/random/boot_id || exit 1
split() { start=\${1##*:}; rest=\${1%:*}; pid=\${rest##*:}; rest=\${rest%:*}; boot=\${rest##*:}; host=\${rest%:*}; }
standing() {
  split "$1"
  [ "$host" = "$this" ] || { echo away; return; }
  [ "$boot" = "$now_boot" ] || { echo gone; return; }
  stat=$(cat "/proc/$pid/stat" 2>/dev/null) || { echo gone; return; }
  set -f; set -- \${stat##*") "}; set +f
  if [ "\${20}" != "$start" ] || [ "$1" = Z ] || [ "$1" = X ]; then echo gone; else echo alive; fi
}
`

const queryScript = `${standing}for id; do printf '%s %s %s\\n' "$id" "$(standing "$id")" "$this"; done
`

/**
 * For each process that has a member's mark: native id, member, kB in memory and seconds of CPU time, in hundredths. What a
 * process has started and waited for counts with it.
 */
const usageScript = `${standing}for id; do
  [ "$(standing "$id")" = alive ] || continue
  split "$id"
  for file in $(grep -lsaz "^FARCALL_TASK_MARK=$pid:$start/" /proc/[0-9]*/environ); do
    folder=\${file%/environ}
    member=$(tr '\\0' '\\n' <"$file" | sed -n "s|^FARCALL_TASK_MARK=$pid:$start/||p")
    stat=$(cat "$folder/stat") && memory=$(sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB$/\\1/p' "$folder/status") || continue
    set -f; set -- \${stat##*") "}; set +f
    printf '%s %s %s %s\\n' "$id" "$member" "\${memory:-0}" "$((\${12} + \${13} + \${14} + \${15}))"
  done
done 2>/dev/null
exit 0
`

/**
 * TERM to the process group and to whatever else carries the job's mark in its environment; KILL, 5 s later and without
 * us, to what is left of that and of the session. Of one member (id/number) its mark alone counts, and is looked for
 * again and again: its node may be just starting.
 */
const cancelScript = `${standing}${chooseLeader}status=0
for id; do
  member=
  case $id in */*) member=\${id##*/}; id=\${id%/*} ;; esac
  case $(standing "$id") in
    away) split "$id"; echo "$id runs on $host, and this is $this" >&2; status=1 ;;
    alive)
      split "$id"
      [ -n "$member" ] || kill -TERM "-$pid" || { status=1; continue; }
      mark="^FARCALL_TASK_MARK=$pid:$start/$member"
      [ -z "$member" ] || mark="$mark$"
      setsid $leader -c '
${closeFiles}        pid=$1 start=$2 member=$3 mark=$4
        left() {
          members= strangers= marked=" $(grep -lsaz "$mark" /proc/[0-9]*/environ | tr "\\n" " ")"
          for file in /proc/[0-9]*/stat; do
            read -r stat <"$file" || continue
            set -- \${stat##*") "}
            number=\${file#/proc/}; number=\${number%/stat}
            # The pid was given to another process: none of these is ours.
            if [ "$number" = "$pid" ] && [ "\${20}" != "$start" ]; then members=; return 1; fi
            [ "$1" != Z ] || continue
            case "$4/$member $marked" in "$pid/ "* | *" /proc/$number/environ "*) ;; *) continue ;; esac
            members="$members $number"
            [ "$3/$member" = "$pid/" ] || strangers="$strangers $number"
          done
          [ -n "$members" ]
        }
        told=
        for second in 1 2 3 4 5; do
          if left; then
            # The group has been told.
            for number in $strangers; do
              case " $told " in *" $number "*) ;; *) kill -TERM "$number"; told="$told $number" ;; esac
            done
          elif [ -z "$member" ]; then exit 0; fi
          sleep 1
        done
        ! left || kill -KILL $members
      ' sh "$pid" "$start" "$member" "$mark" </dev/null >/dev/null 2>&1 &
      ;;
  esac
done
exit $status
`

const nativeId = /^[\w.-]+:[0-9a-f-]{36}:\d+:\d+$/

/**
 * Plain processes on the machine itself, at once and without a queue; they outlive the client and its connection.
 * A job is known by host, boot, pid and start time, since login aliases rotate and pids recur. Linux only.
 */
export const direct: Scheduler = {
  name: 'direct',
  aliases: ['local', 'process'],
  template: 'direct.sh.liquid',
  // Nothing reads the header.
  prefix: '#',
  directives,
  compose: requireTimeForWarning,
  restartCount: '0',
  immediate: true,
  detect: () => ({ argv: ['sh', '-c', 'command -v setsid && test -r /proc/self/stat'] }),
  submit: (file, { log = '/dev/null' }) => script(startScript, [file, log]),
  parseSubmit,
  query: (ids) => script(queryScript, ids),
  parseQuery,
  capacity: () => script(capacityScript, []),
  parseCapacity,
  usage: (ids) => script(usageScript, ids),
  parseUsage,
  memberId: (id, member) => `${id}/${member}`,
  cancel: (ids) => script(cancelScript, ids),
  attach: {
    where: (id) => script(queryScript, [id]),
    parseWhere,
  },
}

/** job.sh keeps the time here: without a limit there is nothing to warn of. */
function requireTimeForWarning({ signal, timeSeconds }: Directives): readonly string[] {
  if (signal === undefined) return []
  const warning = parseWarning(signal)
  if (!warning || warning.seconds === 0 || !/^(HUP|INT|USR1|USR2)$/.test(warning.name))
    throw new ConfigError('OPTION_INVALID', `signal: '${signal}' is no warning that direct can give`, {
      hint: "write it like 'USR1@90': HUP, INT, USR1 or USR2, and seconds before the time limit",
    })
  if (timeSeconds === undefined)
    throw new ConfigError('OPTION_INVALID', `signal: '${signal}' warns of a time limit, and there is none`, {
      hint: "say how long it may run: time: '1h'",
    })
  return []
}

function script(text: string, args: readonly string[]) {
  return { argv: ['sh', '-c', text, 'direct', ...args] }
}

function parseSubmit(result: CommandResult): string {
  const lines = new TextDecoder().decode(result.stdout).split('\n')
  const id = lines.map((line) => line.trim()).findLast((line) => nativeId.test(line))
  if (result.exitCode === 0 && id) return id
  const said = result.stderr.trim() || `starting the job gave exit code ${result.exitCode} and no process`
  if (result.exitCode === 127)
    throw new SubmitError('SCHEDULER_MISSING', said, {
      hint: 'use a profile whose host is a Linux machine with util-linux or busybox',
    })
  throw new SubmitError('SUBMIT_REFUSED', said)
}

/** Commands run where the job runs, or it is on another machine: login aliases rotate. */
function parseWhere(result: CommandResult): RunningJob | undefined {
  const [nativeId, status] = [...parseQuery(result)][0] ?? []
  if (nativeId === undefined || status === undefined) return undefined
  const node = nativeId.split(':')[0]!
  const here = new TextDecoder().decode(result.stdout).trim().split(' ').at(-1)!
  if (status.status.native === 'away') return { nativeId, node, address: node, away: { here } }
  return { nativeId, node, address: '127.0.0.1' }
}

function parseQuery(result: CommandResult): QueueSnapshot {
  if (result.exitCode !== 0)
    throw new FarcallError(
      'COMMAND_FAILED',
      `looking for processes: ${result.stderr.trim() || result.exitCode}`,
      {
        transient: true,
      },
    )
  const jobs = new SnapshotBuilder()
  for (const line of new TextDecoder().decode(result.stdout).split('\n')) {
    const [id = '', word, here] = line.trim().split(' ')
    if (!nativeId.test(id)) continue
    if (word === 'alive') jobs.job(id, { state: 'ACTIVE', native: word })
    // Not gone: nobody who knows was asked.
    if (word === 'away')
      jobs.job(id, {
        state: 'ACTIVE',
        native: word,
        message: `it was started on ${id.split(':')[0]}, and this is ${here ?? 'another machine'}`,
      })
  }
  return jobs.build()
}

/** Several processes of a member are added up. */
function parseUsage(result: CommandResult): ReadonlyMap<string, ReadonlyMap<number, Measured>> {
  const jobs = new Map<string, Map<number, Measured>>()
  for (const line of new TextDecoder().decode(result.stdout).split('\n')) {
    const [, id = '', member, memory, ticks] = /^(\S+) (\d+) (\d+) (\d+)$/.exec(line) ?? []
    if (!nativeId.test(id)) continue
    const members = jobs.get(id) ?? new Map<number, Measured>()
    const { peakMemory = 0, cpuTime = 0 } = members.get(Number(member)) ?? {}
    members.set(Number(member), {
      peakMemory: peakMemory + Number(memory) * 1024,
      cpuTime: cpuTime + Number(ticks) / 100,
    })
    jobs.set(id, members)
  }
  return jobs
}
