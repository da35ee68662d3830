/** Which engines can run a container, and the lines of job.sh that have them do it. */
import type { ContainerEngine, ContainerSpec } from '../core/container-settings.ts'
import { ConfigError } from '../core/errors.ts'
import { apptainer, singularity } from './apptainer.ts'
import { docker, podman } from './docker.ts'
import { type Engine, imageWord, shellWord } from './engine.ts'
import { pyxis } from './pyxis.ts'

const engines: Readonly<Record<ContainerEngine, Engine>> = { docker, podman, apptainer, singularity, pyxis }

/** What `auto` looks for on the node, in this order: what needs no daemon and stays in the job comes first. */
const automatic = [apptainer, singularity, podman, docker]

/** An engine as job.sh has it. */
export interface EngineScript {
  readonly name: ContainerEngine
  readonly program: string
  /** Its command line up to what runs inside, for sh. */
  readonly line: string
  /** The same of the setup phase. */
  readonly setupLine?: string
}

/** The container of the setup phase: it may change the caches, and has the network. */
function setupOf({ setup, caches = [], ...spec }: ContainerSpec): ContainerSpec | undefined {
  return (
    setup && {
      ...spec,
      network: setup.network,
      caches: caches.map((cache) => ({ ...cache, readOnly: false })),
    }
  )
}

/**
 * The engines that can run it, in the order in which they are looked for.
 * @throws ConfigError RESOURCE_UNSUPPORTED naming the setting that none has
 */
export function engineScripts(spec: ContainerSpec): EngineScript[] {
  const candidates = spec.engine === 'auto' ? automatic : [engines[spec.engine]]
  const setup = setupOf(spec)
  const able = candidates.flatMap((engine) => {
    const image = engine.image(spec.image)
    if (image === undefined || lacksOf(engine, spec, setup).length > 0) return []
    const { name, program } = engine
    const lineOf = (of: ContainerSpec) => engine.words(of, imageWord(image)).map(shellWord).join(' ')
    return [{ name, program, line: lineOf(spec), ...(setup ? { setupLine: lineOf(setup) } : {}) }]
  })
  if (able.length > 0) return able
  const reasons = candidates.map((engine) => {
    const lacks = lacksOf(engine, spec, setup)
    return `${engine.name} has no ${lacks.join(', ') || `images like ${spec.image}`}`
  })
  throw new ConfigError('RESOURCE_UNSUPPORTED', `container: ${reasons.join('; ')}`, {
    hint: 'leave it out, or name another engine (container.engine)',
  })
}

/** Settings, as the user knows them. */
function lacksOf(engine: Engine, spec: ContainerSpec, setup: ContainerSpec | undefined): string[] {
  const inSetup = setup && engine.lacks(setup).includes('network') ? ['container.setup.network'] : []
  return [
    ...engine.lacks(spec).map((key) => `container.${key === 'memoryBytes' ? 'memory' : key}`),
    ...inSetup,
  ]
}
