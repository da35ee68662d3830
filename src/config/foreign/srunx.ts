import { type ForeignProfile, given, isTree, type Tree } from './foreign.ts'

/**
 * The profiles of srunx's config.json, each with the defaults for jobs that stand beside them.
 * https://github.com/ksterx/srunx (src/srunx/common/config.py, src/srunx/ssh/core/config.py)
 */
export function fromSrunx(config: Tree): ForeignProfile[] {
  const profiles = isTree(config['profiles']) ? config['profiles'] : {}
  const { settings, left } = defaultsOf(config)
  return Object.entries(profiles).flatMap(([name, own]) => {
    if (!isTree(own)) return []
    const { mounts, env_vars: variables } = own
    const environment = settings['environment'] as Tree | undefined
    const profile = given({
      scheduler: 'slurm',
      ...loginOf(own),
      ...settings,
      environment: given({
        ...environment,
        variables: given({
          ...(environment?.['variables'] as Tree),
          ...(isTree(variables) ? variables : {}),
        }),
      }),
    })
    const moved = Array.isArray(mounts) && mounts.length > 0
    return [
      {
        name,
        profile,
        left: [...left, ...(moved ? ['mounts: a call says what it needs, with `stage`'] : [])],
      },
    ]
  })
}

/** Of a host that the ssh configuration knows, that says the rest. */
function loginOf({ hostname, ssh_host, username, port, key_filename, proxy_jump }: Tree): Tree {
  if (typeof ssh_host === 'string' && ssh_host !== '') return { host: ssh_host }
  return {
    host: hostname,
    user: username,
    port: port === 22 ? undefined : port,
    identityFile: key_filename,
    proxyJump: proxy_jump,
  }
}

function defaultsOf(config: Tree): { settings: Tree; left: string[] } {
  const resources = isTree(config['resources']) ? config['resources'] : {}
  const environment = isTree(config['environment']) ? config['environment'] : {}
  const more = (value: unknown, least: number) => (value === least ? undefined : value)
  const left: string[] = []
  if (environment['container']) left.push('environment.container: it is not taken: add it by hand')
  if (isTree(config['notifications']) && config['notifications']['slack_webhook_url'])
    left.push('notifications.slack_webhook_url: a secret; name it by an environment variable')
  return {
    left,
    settings: given({
      resources: given({
        nodes: more(resources['nodes'], 1),
        gpus: more(resources['gpus_per_node'], 0),
        tasksPerNode: more(resources['ntasks_per_node'], 1),
        cores: more(resources['cpus_per_task'], 1),
        memory: resources['memory_per_node'],
        time: resources['time_limit'],
        nodelist: resources['nodelist'],
        partition: resources['partition'],
      }),
      environment: given({
        conda: environment['conda'],
        venv: environment['venv'],
        variables: environment['env_vars'],
        cwd: config['work_dir'],
      }),
    }),
  }
}
