import type { Command } from 'commander'

/** What a command leaves to be done outside of our error handling: the user's program. */
export type Leave = (run: () => Promise<void>) => void

export interface Listed {
  readonly name: string
  /** Under which heading `farcall --help` shows it. */
  readonly group: string
  readonly summary: string
  /** Only the command that is asked for is loaded. */
  readonly load: (leave: Leave) => Promise<Command>
}

const programs = 'Programs:'
const jobs = 'Jobs:'
const places = 'Places:'

export const commands: readonly Listed[] = [
  {
    name: 'run',
    group: programs,
    summary: 'run a TypeScript or JavaScript program that uses farcall',
    load: async (leave) => (await import('./commands/run.ts')).runCommand(leave),
  },
  {
    name: 'explain',
    group: programs,
    summary: 'what marked functions of a file take along, and what cannot',
    load: async () => (await import('./commands/explain.ts')).explainCommand(),
  },
  {
    name: 'submit',
    group: jobs,
    summary: 'have a function of a file or a command run, and print the job’s id',
    load: async () => (await import('./commands/submit.ts')).submitCommand(),
  },
  {
    name: 'batch',
    group: jobs,
    summary: 'have a function of a file run for each line of a file, and go on where that stopped',
    load: async () => (await import('./commands/batch.ts')).batchCommand(),
  },
  {
    name: 'ssh',
    group: jobs,
    summary: 'submit a job script as it is, and follow it to its end',
    load: async () => (await import('./commands/ssh.ts')).sshCommand(),
  },
  {
    name: 'list',
    group: jobs,
    summary: 'jobs that are under way, and those of the last day',
    load: async () => (await import('./commands/list.ts')).listCommand(),
  },
  {
    name: 'status',
    group: jobs,
    summary: 'where jobs stand, and what they asked for',
    load: async () => (await import('./commands/status.ts')).statusCommand(),
  },
  {
    name: 'history',
    group: jobs,
    summary: 'jobs on record, with how long they waited and ran',
    load: async () => (await import('./commands/history.ts')).historyCommand(),
  },
  {
    name: 'logs',
    group: jobs,
    summary: 'what a job has printed',
    load: async () => (await import('./commands/logs.ts')).logsCommand(),
  },
  {
    name: 'result',
    group: jobs,
    summary: 'the value of a job',
    load: async () => (await import('./commands/result.ts')).resultCommand(),
  },
  {
    name: 'attach',
    group: jobs,
    summary: 'follow a job to its end',
    load: async () => (await import('./commands/attach.ts')).attachCommand(),
  },
  {
    name: 'cancel',
    group: jobs,
    summary: 'end jobs, or items of a map',
    load: async () => (await import('./commands/cancel.ts')).cancelCommand(),
  },
  {
    name: 'retry',
    group: jobs,
    summary: 'run what failed of a job again',
    load: async () => (await import('./commands/retry.ts')).retryCommand(),
  },
  {
    name: 'monitor',
    group: jobs,
    summary: 'tell what becomes of jobs, or of what is free, as it changes',
    load: async () => (await import('./commands/monitor.ts')).monitorCommand(),
  },
  {
    name: 'shell',
    group: jobs,
    summary: 'a shell on the machine of a profile, or beside a running job',
    load: async () => (await import('./commands/shell.ts')).shellCommand(),
  },
  {
    name: 'forward',
    group: jobs,
    summary: 'reach a port of a running job: a notebook, a debugger, a dashboard',
    load: async () => (await import('./commands/forward.ts')).forwardCommand(),
  },
  {
    name: 'setup',
    group: places,
    summary: 'get to a cluster for the first time: key, host key, ~/.ssh/config, profile',
    load: async () => (await import('./commands/setup.ts')).setupCommand(),
  },
  {
    name: 'doctor',
    group: places,
    summary: 'walk the whole way to a cluster: what works, what is slow, what to do',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  },
  {
    name: 'resources',
    group: places,
    summary: 'what a cluster has, and what of it is free',
    load: async () => (await import('./commands/resources.ts')).resourcesCommand(),
  },
  {
    name: 'queue',
    group: places,
    summary: 'the jobs of a scheduler, everyone’s or yours',
    load: async () => (await import('./commands/queue.ts')).queueCommand(),
  },
  {
    name: 'clean',
    group: places,
    summary: 'remove from a place what is done with',
    load: async () => (await import('./commands/clean.ts')).cleanCommand(),
  },
  {
    name: 'profile',
    group: places,
    summary: 'the places that jobs go to: list, add, change, import and test them',
    load: async () => (await import('./commands/profile.ts')).profileCommand(),
  },
  {
    name: 'template',
    group: places,
    summary: 'the templates of job scripts: list them, show one, check your own',
    load: async () => (await import('./commands/template.ts')).templateCommand(),
  },
  {
    name: 'config',
    group: places,
    summary: 'look at the configuration, and change it',
    load: async () => (await import('./commands/config.ts')).configCommand(),
  },
  {
    name: 'complete',
    group: places,
    summary: 'print the completions of a shell: bash, zsh or fish',
    load: async () => (await import('./commands/complete.ts')).completeCommand(),
  },
]
