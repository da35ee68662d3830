/** What a shell is told when somebody presses TAB. */
import type { Complete, RootCommand } from '@bomb.sh/tab'
import tab from '@bomb.sh/tab/commander'
import type { Command } from 'commander'
import { jobs } from '../client/jobs/jobs.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError, FarcallError } from '../core/errors.ts'
import { jobStates } from './job-filter.ts'

const shells = ['bash', 'zsh', 'fish']
/** More ids than that help nobody. */
const mostJobs = 50

/**
 * Answers `complete SHELL` with the shell's script, and `complete -- WORDS…` with what may come next.
 * @throws ConfigError OPTION_INVALID for another shell
 */
export async function complete(cli: Command, [first, ...words]: readonly string[]): Promise<void> {
  const root = tab(cli)
  if (first !== '--') {
    if (!shells.includes(first!))
      throw new ConfigError('OPTION_INVALID', `there are no completions for '${first}'`, {
        hint: `give ${shells.join(', ')}`,
      })
    root.setup('farcall', 'farcall', first!)
    return
  }
  await addOurs(root)
  root.parse([...words])
}

/** Names of profiles and ids of jobs, as this machine knows them: nothing is asked of a cluster. */
async function addOurs(root: RootCommand): Promise<void> {
  const [profiles, jobs] = await Promise.all([profileNames(), recentJobs()])
  const tellProfiles = (tell: Complete) => {
    for (const name of profiles) tell(name, 'profile')
  }
  const tellJobs = (tell: Complete) => {
    for (const { id, words } of jobs) tell(id, words)
  }
  const tellStates = (tell: Complete) => {
    for (const state of jobStates) tell(state, 'state')
  }
  for (const [path, command] of [['', root] as const, ...root.commands]) {
    const profile = command.options.get('profile')
    if (profile) profile.handler = tellProfiles
    const state = command.options.get(path === 'monitor jobs' ? 'until' : 'state')
    if (state) state.handler = tellStates
    for (const argument of command.arguments.values()) {
      if (/^ids?$/.test(argument.name)) argument.handler = tellJobs
      if (argument.name === 'profile' || (argument.name === 'name' && /^profile (?!add)/.test(path)))
        argument.handler = tellProfiles
    }
  }
}

async function profileNames(): Promise<string[]> {
  try {
    const { config } = await loadConfig({ profile: 'local' })
    return [...new Set([...Object.keys(config.profiles ?? {}), 'local'])]
  } catch (error) {
    // A command line that is being typed is no place to tell of a broken file.
    if (error instanceof ConfigError) return []
    throw error
  }
}

async function recentJobs(): Promise<{ id: string; words: string }[]> {
  try {
    const recorded = await jobs({ limit: mostJobs })
    return recorded.map(({ id, name, status }) => ({ id, words: `${name}, ${status.state}` }))
  } catch (error) {
    // Nor of a record that cannot be opened.
    if (error instanceof FarcallError) return []
    throw error
  }
}
