/** A configuration whose profile deals with an interrupt so. */
export const interruptedBy = (interrupt: 'cancel' | 'detach') => ({
  defaultProfile: 'here',
  profiles: { here: { scheduler: 'direct', interrupt, queryInterval: '1s', workdir: '~/work' } },
})

/** A cell with a remote function that waits for a file. */
export const waitCell = (specifier: 'farcall' | 'npm:farcall'): string =>
  `import { attach, cluster, jobs } from '${specifier}'
const wait = cluster({ name: 'wait' }, async (file: string) => {
  const { existsSync } = await import('node:fs')
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 50))
  return 'the file was there'
})`
