import {
  type ClusterOptions,
  type Config,
  cluster,
  configure,
  defineConfig,
  type ErrorCode,
  FarcallError,
  JobFailedError,
} from 'farcall'
import { is } from './equal.ts'

const work = (n: number) => n

cluster(
  {
    cores: 8,
    memory: '16GB',
    time: 3600,
    gpus: 'a100:2',
    partition: 'long',
    native: ['--switches=1'],
    profile: 'hpc',
    environment: { modules: ['gcc'], variables: { OMP_NUM_THREADS: '8' } },
    concurrency: 10,
    chunk: 'auto',
    signal: AbortSignal.timeout(1000),
  },
  work,
)
cluster({ signal: 'USR1@90' }, work)
const shared = { cores: 2, time: '1h' } satisfies ClusterOptions
cluster({ ...shared, memory: 4e9 }, work)

cluster({ onFail: ({ id, reason }) => is<string>()(id) ?? reason, notify: [] }, work)
cluster({ notify: [{ type: 'webhook', url: { env: 'HOOK' }, on: ['FAILED'] }] }, work)
// @ts-expect-error Slack's URL is a secret
cluster({ notify: [{ type: 'slack', url: 'https://hooks.slack.com/' }] }, work)
// @ts-expect-error a typo
cluster({ core: 2 }, work)
// @ts-expect-error a typo
cluster({ core: 2 })
// @ts-expect-error a wrong type
cluster({ memory: true }, work)
// @ts-expect-error a wrong type
cluster({ chunk: 'all' }, work)
// @ts-expect-error a typo further in
cluster({ environment: { module: ['gcc'] } }, work)
// @ts-expect-error nothing to run
cluster({ cores: 2 }, 'work')

const config = defineConfig({ profiles: { hpc: { scheduler: 'slurm', host: 'login.hpc.edu' } } })
is<'slurm'>()(config.profiles.hpc.scheduler)
const checked: Config = config
void checked
configure({ defaultProfile: 'hpc', profiles: { hpc: { resources: { partition: 'debug' } } } })
// @ts-expect-error a typo
configure({ defaultprofile: 'hpc' })
// @ts-expect-error a typo in a profile
configure({ profiles: { hpc: { sheduler: 'slurm' } } })
// @ts-expect-error a password is named by its variable, never written down
configure({ profiles: { hpc: { password: 'secret' } } })

try {
  await cluster(work)(1)
} catch (error) {
  if (error instanceof JobFailedError) {
    is<string>()(error.jobId)
    is<string>()(error.stderrTail)
  } else if (error instanceof FarcallError) {
    is<ErrorCode>()(error.code)
    is<string | undefined>()(error.hint)
    is<boolean>()(error.transient)
  }
}
