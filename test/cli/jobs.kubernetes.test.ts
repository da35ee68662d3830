import { describe, expect, inject, it } from 'vitest'
import { makeNamespace } from '../clusters/kubernetes/namespace.ts'
import { commandsWork } from './jobs.ts'

const server = inject('kubernetes')
const { kubeconfig } = await makeNamespace(server)

describe('commands about jobs of a real Kubernetes', () =>
  commandsWork(
    {
      scheduler: 'kubernetes',
      kubernetes: { image: server.image, kubeconfig, imagePullPolicy: 'Never', gracePeriod: '1s' },
      resources: { memory: '200MB' },
    },
    ({ farcall }) => {
      it('resources names the right that is missing, and where it is said', async () => {
        const refused = await farcall('resources')
        expect(refused).toMatchObject({ exitCode: 5, stdout: '' })
        expect(refused.stderr).toContain('error REQUEST_FORBIDDEN')
      })
    },
  ))
