import { pathToFileURL } from 'node:url'
import type { Target } from '../client/caller.ts'
import { cluster, targetSymbol } from '../client/cluster.ts'
import { makeRemote, type Remote } from '../client/remote.ts'
import { ConfigError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'

/** A function that a file exports, and that can be called there. */
export interface Exported {
  /** 'simulate', 'Study.simulate', 'default'. */
  readonly name: string
  /** It is marked with cluster. */
  readonly isMarked: boolean
  readonly remote: () => Remote<unknown[], unknown>
}

/** Imports a program's file: its top level runs here, and what that prints is words, not data. */
export async function importFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  const { passOn } = await import('./loader/register.ts')
  passOn()
  process.argv = [process.argv[0]!, file]
  const { write } = process.stdout
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof write
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } finally {
    process.stdout.write = write
  }
}

export function exportedFunctions(module: Readonly<Record<string, unknown>>): Exported[] {
  return Object.entries(module).flatMap(([name, value]) => {
    if (typeof value !== 'function') return []
    const marked = targetOf(value)
    if (marked) return [markedAs(name, marked, undefined)]
    const methods = Object.getOwnPropertyNames(value).flatMap((key) => {
      const target = targetOf(Object.getOwnPropertyDescriptor(value, key)?.value)
      return target ? [markedAs(`${name}.${key}`, target, value)] : []
    })
    if (methods.length > 0 || isClass(value)) return methods
    return [{ name, isMarked: false, remote: () => cluster(value) as unknown as Remote<unknown[], unknown> }]
  })
}

/** Another copy of farcall, the program's own, may have marked it. */
const targetOf = (value: unknown) =>
  typeof value === 'function' ? (Reflect.get(value, targetSymbol) as Target | undefined) : undefined

const isClass = (value: Function) => /^class\b/.test(Function.prototype.toString.call(value))

function markedAs(name: string, target: Target, owner: unknown): Exported {
  return { name, isMarked: true, remote: () => makeRemote(target, owner) }
}

/** The one that is asked for; without a name the only one that is marked, or else the only one. @throws ConfigError */
export function chooseFunction(all: readonly Exported[], name: string | undefined, file: string): Exported {
  if (name === undefined) {
    const marked = all.filter(({ isMarked }) => isMarked)
    const candidates = marked.length > 0 ? marked : all
    const [only, ...others] = candidates
    if (only && others.length === 0) return only
    const which = marked.length > 0 ? 'functions that are marked with cluster' : 'functions'
    throw new ConfigError(
      'OPTION_INVALID',
      only
        ? `${file} exports ${candidates.length} ${which}: ${namesOf(candidates)}`
        : `${file} exports no function`,
      { hint: only ? 'say which: --function NAME' : 'write `export` before the function that is to run' },
    )
  }
  const found = all.filter((one) => one.name === name || one.name.endsWith(`.${name}`))
  if (found.length === 1) return found[0]!
  const near = nearest(
    name,
    all.flatMap(({ name: full }) => [full, full.slice(full.lastIndexOf('.') + 1)]),
  )
  throw new ConfigError(
    'OPTION_INVALID',
    found.length > 1
      ? `${file}: '${name}' may be ${namesOf(found)}`
      : `${file} exports no function '${name}'`,
    {
      hint:
        found.length > 1
          ? 'name it in full'
          : near
            ? `did you mean ${near}?`
            : all.length > 0
              ? `there are: ${namesOf(all)}`
              : 'it exports none',
    },
  )
}

const namesOf = (all: readonly Exported[]) => all.map(({ name }) => name).join(', ')
