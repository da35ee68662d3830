import { expect, it } from 'vitest'
import { whereNoMoreFilesOpen } from '../transport/no-more-files.ts'

it('where no more files can be opened, that is why npm or a login program could not be started', async () => {
  const setup = `
    import { npm } from './src/archive/build.ts'
    import { IdentitySource } from './src/executor/kubernetes/credentials.ts'

    const exec = { command: 'true', args: [], env: {}, apiVersion: 'client.authentication.k8s.io/v1' }
    const all = {
      npm: () => npm('/', ['--version']),
      plugin: () => new IdentitySource({ exec }, process.env).get(0),
    }`
  expect(await whereNoMoreFilesOpen(setup, '({ message }) => message')).toEqual({
    npm: 'npm: spawn npm EMFILE',
    plugin: 'true could not be started: spawn true EMFILE',
    later: 'none',
  })
})
