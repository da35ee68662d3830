import { spawnSync } from 'node:child_process'
import { basename } from 'node:path'

export interface ShellError {
  readonly shell: string
  /** Of the script, from 1; undefined where the shell does not say. */
  readonly line: number | undefined
  readonly words: string
}

const shells = ['sh', 'bash', 'dash', 'ksh', 'zsh']

/** The shell that a script's first line names; `sh` where that is none. */
export function shellOf(script: string): string {
  const [, program = 'sh', argument] = /^#![ \t]*(\S+)(?:[ \t]+(\S+))?/.exec(script) ?? []
  const name = basename(program) === 'env' ? argument : basename(program)
  return shells.find((one) => one === name) ?? 'sh'
}

/** Has a shell read a script and run nothing (`sh -n`). 'absent': there is no such shell here. */
export function checkByShell(script: string): ShellError | 'absent' | undefined {
  const shell = shellOf(script)
  const { error, status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' })
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return 'absent'
  // A shell that ends early leaves the rest of its stdin unread.
  if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  if (status === 0) return undefined
  const first = stderr.trim().split('\n')[0] ?? ''
  const [, line, words] = /^\S+?: (?:line )?(\d+): (.*)$/.exec(first) ?? []
  return { shell, line: line === undefined ? undefined : Number(line), words: words ?? first }
}
