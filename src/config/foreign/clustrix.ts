import { type ForeignProfile, given, isTree, type Tree } from './foreign.ts'

const schedulers: Readonly<Record<string, string>> = {
  slurm: 'slurm',
  pbs: 'pbs',
  sge: 'sge',
  ssh: 'direct',
  local: 'direct',
  kubernetes: 'kubernetes',
}

/** Clustrix's own, where a file does not say otherwise: on most clusters a folder of one node. */
const ownWorkdir = '/tmp/clustrix'

/**
 * The profiles of a Clustrix configuration: one, or several by name (as its notebook widget saves them).
 * https://github.com/ContextLab/clustrix (clustrix/config.py, clustrix/profile_manager.py)
 */
export function fromClustrix(config: Tree): ForeignProfile[] {
  const named = isTree(config['profiles']) ? config['profiles'] : config
  if (isSettings(config)) return [profileOf(nameFor(config), config)]
  return Object.entries(named).flatMap(([name, own]) =>
    isTree(own) && isSettings(own) ? [profileOf(simple(name), own)] : [],
  )
}

const isSettings = (config: Tree) => 'cluster_type' in config || 'cluster_host' in config

function profileOf(name: string, config: Tree): ForeignProfile {
  const type = String(config['cluster_type'] ?? 'slurm')
  const scheduler = schedulers[type]
  const port = config['cluster_port']
  const workdir = config['remote_work_dir']
  const left: string[] = []
  if (scheduler === undefined)
    left.push(`cluster_type: '${type}' is none that farcall has; scheduler is 'auto'`)
  for (const key of ['password', 'api_key', 'hf_token'])
    if (config[key])
      left.push(`${key}: a secret; name it by an environment variable: password: { env: 'NAME' }`)
  if (workdir === ownWorkdir)
    left.push(`remote_work_dir: ${ownWorkdir} is seen by one node only; workdir stays $HOME/.farcall`)
  for (const key of ['cluster_packages', 'venv_post_install_commands'])
    if (Array.isArray(config[key]) && config[key].length > 0)
      left.push(
        `${key}: for Python; put what is needed into environment.setup, or into the conda environment`,
      )
  const profile = given({
    scheduler: scheduler ?? 'auto',
    host: config['cluster_host'],
    port: port === 22 ? undefined : port,
    user: config['username'],
    identityFile: config['key_file'],
    workdir: workdir === ownWorkdir ? undefined : workdir,
    resources: given({
      cores: config['default_cores'],
      memory: config['default_memory'],
      time: config['default_time'],
      partition: config['default_partition'] ?? config['default_queue'],
    }),
    environment: given({
      modules: config['module_loads'],
      conda: config['conda_env_name'],
      variables: config['environment_variables'],
      setup: config['pre_execution_commands'],
    }),
    kubernetes:
      scheduler === 'kubernetes'
        ? given({ namespace: config['k8s_namespace'], serviceAccount: config['k8s_service_account'] })
        : undefined,
  })
  if (scheduler === 'kubernetes' && config['k8s_image'])
    left.push(`k8s_image: ${String(config['k8s_image'])} has Python; kubernetes.image needs Node`)
  return { name, profile, left }
}

function nameFor(config: Tree): string {
  const host = config['cluster_host']
  return typeof host === 'string' && host !== '' ? simple(host.split('.')[0]!) : 'clustrix'
}

/** 'Ndoli Cluster' is typed as ndoli-cluster. */
const simple = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9._]+/g, '-')
    .replace(/^-+|-+$/g, '') || 'clustrix'
