import { ConfigError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { isKubernetes } from './kubernetes/name.ts'

/** @throws ConfigError where there is no machine to log in to */
export function requireLogin({ scheduler }: Profile): void {
  if (!isKubernetes(scheduler)) return
  throw new ConfigError('OPTION_INVALID', 'a Kubernetes cluster has no login node to run commands on', {
    hint: '`kubectl exec` opens a shell in the pod of a job; calls, maps and `job.logs()` work as anywhere',
  })
}
