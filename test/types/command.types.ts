import {
  type Argv,
  type Command,
  type CommandOptions,
  type CommandResult,
  cluster,
  command,
  type Job,
  type JobArray,
  localFile,
  type Script,
  type ScriptOptions,
  type ScriptVariables,
  script,
} from 'farcall'
import { is } from './equal.ts'

const options: CommandOptions = { cores: 2, memory: '1GB', stage: { out: ['x'] }, check: false, retry: 2 }
is<Job<CommandResult>>()(command(['python', 'train.py', 3], options))
is<JobArray<CommandResult>>()(command.map([1, 2], (seed, index) => ['echo', seed, index], options))
is<Promise<string>>()(command.script(['echo']))
is<Command>()(command)
const { exitCode, stdoutTail, stderrTail, files } = await command(['echo'])
is<number>()(exitCode)
is<string>()(stdoutTail)
is<string>()(stderrTail)
is<readonly string[]>()(files)

// words: text, numbers, files, and jobs that give text or numbers
const name = cluster(() => 'name')
const size = cluster((n: number) => n * 2)
const words: Argv = ['cat', localFile('x'), name(), size(2)]
command(words)
command(['a', 'b'] as const)
// @ts-expect-error a line is no list of words
command('ls -l')
// @ts-expect-error a word is no list
command(['ls', ['-l']])
const list = cluster(() => [1])
// @ts-expect-error a job that gives a list is no word
command(['ls', list()])
// @ts-expect-error an option of functions
command(['ls'], { parallel: 'auto' })
// @ts-expect-error there is no such option
command(['ls'], { chekc: false })

is<Job<CommandResult>>()(script('job.sh'))
is<Script>()(script)
const variables: ScriptVariables = { seed: 1, files: ['a', 'b'], more: { quick: true } }
script('job.sh', variables, options)
const own: ScriptOptions = { ...options, args: ['a', 1], raw: true }
script('job.sh', undefined, own)
// @ts-expect-error an option of scripts
command(['ls'], { raw: true })
// @ts-expect-error a job is no value of a script
script('job.sh', { name: name() })
// @ts-expect-error a date is none
script('job.sh', { at: new Date() })
