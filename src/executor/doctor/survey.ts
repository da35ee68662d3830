/** What the login node is asked in one command, once its work folder is there. */
import { TransportError } from '../../core/errors.ts'
import type { Transport } from '../../transport/transport.ts'

export interface Survey {
  readonly host: string
  /** What a command over ssh, without a login shell, prints before its own first word; and how long it takes to begin. */
  readonly shell: {
    readonly name: string
    readonly noise: string
    readonly exitCode: number
    readonly seconds: number
  }
  readonly disk: {
    readonly free: number
    readonly size: number
    readonly mount: string
    /** 'nfs4', 'lustre', 'tmpfs'; '' when the machine does not say. */
    readonly type: string
  }
  /** Of a megabyte written to the work folder and synced. */
  readonly write: { readonly failure: string; readonly seconds: number }
  /** The answers of quota tools that are there, as they are. */
  readonly quota: { readonly quota: string; readonly lustre: string }
  readonly node: { readonly path: string; readonly version: string; readonly failure: string }
  readonly libc: string
  readonly machine: string
}

/**
 * $1 the work folder, $2 the program that runs jobs. Prints `key value`, a value's line breaks as \001.
 * SHLVL=0: bash reads .bashrc for what sshd starts, and takes us for that; other shells always read theirs.
 */
export const surveyScript = `cd -- "$1" || exit
say() { printf '%s %s\\n' "$1" "$(printf '%s' "$2" | LC_ALL=C tr '\\n' '\\001' | LC_ALL=C tr '\\002-\\037\\177' ' ')"; }
# Nanoseconds; whole seconds where date knows no more.
now() { t=$(date +%s%N); case $t in *[!0-9]*) t=$(date +%s)000000000 ;; esac; [ "\${#t}" -gt 12 ] || t=\${t}000000000; printf %s "$t"; }
limit=
! command -v timeout >/dev/null 2>&1 || limit='timeout 20'
say host "$(uname -n)"
say machine "$(uname -sm)"
if [ -n "$SSH_CONNECTION" ]; then
  shell=\${SHELL:-/bin/sh}
  t0=$(now)
  noise=$(SHLVL=0 $limit "$shell" -c : 2>&1 </dev/null)
  say shell.exit "$?"
  say shell.ns "$(($(now) - t0))"
  say shell.noise "$(printf '%s' "$noise" | head -c 300)"
  say shell.name "$shell"
fi
say disk "$(df -Pk . | tail -n 1)"
mount=$(df -Pk . | tail -n 1 | sed 's/.*% *//')
type=$(awk -v m="$mount" '$2 == m { t = $3 } END { print t }' /proc/self/mounts 2>/dev/null)
say type "\${type:-$(stat -f -c %T . 2>/dev/null)}"
t0=$(now)
said=$( { head -c 1048576 /dev/zero >".doctor.$$" && { sync ".doctor.$$" 2>/dev/null || sync; }; } 2>&1) || say write.failure "\${said:-it failed without a word}"
rm -f ".doctor.$$"
say write.ns "$(($(now) - t0))"
! command -v quota >/dev/null 2>&1 || say quota "$($limit quota -w 2>/dev/null)"
case $type in lustre) ! command -v lfs >/dev/null 2>&1 || say lustre "$($limit lfs quota -q -u "$(id -un)" "$mount" 2>/dev/null)" ;; esac
node=$(command -v "$2") || { [ "$2" = node ] && node=$(command -v nodejs); }
say node.path "$node"
if [ -n "$node" ]; then
  if said=$($limit "$node" --version 2>&1); then say node.version "$said"; else say node.failure "$said"; fi
fi
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=$(ldd --version 2>&1 | head -n 2)
say libc "$libc"
exit 0`

/** @throws TransportError */
export async function survey(transport: Transport, workdir: string, node: string): Promise<Survey> {
  const argv = ['sh', '-c', surveyScript, 'farcall', workdir, node]
  const result = await transport.exec({ argv }, { timeoutMs: 120_000 })
  if (result.exitCode !== 0)
    throw new TransportError('WORKDIR_UNUSABLE', `${workdir} on ${transport.name}: ${result.stderr.trim()}`)
  return readSurvey(Buffer.from(result.stdout).toString('utf8'))
}

export function readSurvey(text: string): Survey {
  const facts = readFacts(text)
  const fact = (key: string) => facts.get(key) ?? ''
  const seconds = (key: string) => (Number(fact(key)) || 0) / 1e9
  const [free, size, mount] = readDisk(fact('disk'))
  return {
    host: fact('host'),
    machine: fact('machine'),
    shell: {
      name: fact('shell.name'),
      noise: fact('shell.noise'),
      exitCode: Number(fact('shell.exit')) || 0,
      seconds: seconds('shell.ns'),
    },
    disk: { free, size, mount, type: fact('type') },
    write: { failure: fact('write.failure'), seconds: seconds('write.ns') },
    quota: { quota: fact('quota'), lustre: fact('lustre') },
    node: { path: fact('node.path'), version: fact('node.version'), failure: fact('node.failure') },
    libc: shownLibc(fact('libc')),
  }
}

/** Lines of `key value`. */
export function readFacts(text: string): Map<string, string> {
  const facts = new Map<string, string>()
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    if (space > 0)
      facts.set(
        line.slice(0, space),
        line
          .slice(space + 1)
          .replaceAll('\x01', '\n')
          .trim(),
      )
  }
  return facts
}

/** Bytes free and in all, and the mount, of a line of `df -Pk`. */
function readDisk(line: string): [free: number, size: number, mount: string] {
  const match = /\s(\d+)\s+(\d+)\s+(-?\d+)\s+\d+%\s+(.*)$/.exec(line)
  if (!match) return [Number.NaN, Number.NaN, '']
  return [Math.max(0, Number(match[3])) * 1024, Number(match[1]) * 1024, match[4]!]
}

/** 'glibc 2.36', 'musl 1.2.3'; '' when nothing is known. */
export function shownLibc(text: string): string {
  if (/^musl/m.test(text)) return `musl ${/Version (\S+)/.exec(text)?.[1] ?? ''}`.trim()
  const version = /(?:^glibc |\s)(\d+\.\d+)\s*$/m.exec(text)?.[1]
  return version === undefined ? '' : `glibc ${version}`
}
