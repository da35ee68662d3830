import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import type { FailedCommand } from '../src/core/command.ts'

type Why = Omit<FailedCommand, 'stderrTail'>

/** Why a program could not be started, in plain words, and the way out. */
export function whyNotStarted(argv: readonly string[], error: NodeJS.ErrnoException): Why {
  const name = argv[0]!
  const file = findProgram(name)
  switch (error.code) {
    case 'ENOENT':
      return file === undefined ? notFound(name) : noInterpreter(file)
    case 'EACCES':
    case 'EPERM':
      return notExecutable(name)
    case 'E2BIG':
      return launchFailed(
        `the arguments of ${name} are longer than the system takes: ${lengthOf(argv)} bytes`,
        'put them into a file and give that: localFile(path), or stage: { in: [path] }',
      )
    default:
      return launchFailed(`${name} could not be started on ${hostname()}: ${error.message}`)
  }
}

function notFound(name: string): Why {
  const isPath = name.includes('/')
  if (/\s/.test(name))
    return {
      ...launchFailed(
        `there is no command ${JSON.stringify(name)} on ${hostname()}`,
        `a command is a list of words, and no line for a shell: [${name
          .trim()
          .split(/\s+/)
          .map((word) => `'${word}'`)
          .join(', ')}]`,
      ),
      exitCode: 127,
    }
  return {
    ...launchFailed(
      isPath
        ? `there is no ${name} on ${hostname()} (in ${process.cwd()})`
        : `there is no command ${name} on ${hostname()}; PATH is ${process.env['PATH'] ?? 'not set'}`,
      isPath
        ? 'send it along with stage: { in: [path] }, give the path that it has there, or say where to run: environment: { cwd }'
        : 'load what brings it (environment: { modules, conda, venv, path }), give its path, or run in an image that has it',
    ),
    exitCode: 127,
  }
}

function noInterpreter(file: string): Why {
  const line = firstLine(file)
  return {
    ...launchFailed(
      line?.startsWith('#!')
        ? `what the first line of ${file} names is not there on ${hostname()}: ${JSON.stringify(line)}`
        : `${file} is there, but what loads it is not: it is made for another system or libc than that of ${hostname()}`,
      line?.endsWith('\r')
        ? "the file has Windows line ends; convert it: sed -i 's/\\r$//'"
        : 'name what runs it as the first word: ["bash", "run.sh"]',
    ),
    exitCode: 127,
  }
}

function notExecutable(name: string): Why {
  return {
    ...launchFailed(
      `${name} cannot be executed on ${hostname()}: ${isFolder(name) ? 'it is a folder' : 'permission denied'}`,
      'chmod +x, or name what runs it as the first word: ["bash", "run.sh"], ["python3", "train.py"]',
    ),
    exitCode: 126,
  }
}

function launchFailed(message: string, hint?: string): Why {
  return { reason: 'launch-failed', message, ...(hint === undefined ? {} : { hint }) }
}

const lengthOf = (argv: readonly string[]) => argv.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0)

/** The file that exec would take. */
function findProgram(name: string): string | undefined {
  if (name.includes('/')) return isThere(name) ? name : undefined
  const folders = (process.env['PATH'] ?? '').split(':')
  return folders.map((folder) => `${folder || '.'}/${name}`).find((path) => isThere(path) && !isFolder(path))
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.F_OK)
    return true
  } catch {
    return false // that is the answer
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function firstLine(path: string): string | undefined {
  try {
    const file = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(256)
      return bytes.toString('latin1', 0, readSync(file, bytes, 0, 256, 0)).split('\n')[0]
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined // not ours to read
  }
}
