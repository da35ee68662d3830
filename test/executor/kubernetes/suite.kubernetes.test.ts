import { inject } from 'vitest'
import { systemClock } from '../../../src/core/clock.ts'
import { openExecutor } from '../../../src/executor/open.ts'
import { executorSuite } from '../../../src/testing/executor-suite.ts'
import { makeNamespace } from '../../clusters/kubernetes/namespace.ts'

const kubernetes = inject('kubernetes')
const { kubeconfig, claim } = await makeNamespace(kubernetes)
const settings = {
  image: kubernetes.image,
  kubeconfig,
  claim,
  imagePullPolicy: 'Never' as const,
  gracePeriod: '2s',
}
const open = async () => openExecutor({ scheduler: 'kubernetes', kubernetes: settings }, systemClock)

executorSuite('Kubernetes', open, { reopen: open, folder: '/data', timeoutMs: 60_000 })
