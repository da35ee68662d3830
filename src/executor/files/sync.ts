import { ConfigError, FileError } from '../../core/errors.ts'
import { requirePath, trimSlashes } from '../../files/paths.ts'
import type { FileSystem, Synced, SyncOptions } from '../../files/types.ts'
import { isLarge } from './archives.ts'
import type { End } from './end.ts'
import { nearEnd } from './near-end.ts'
import { canWorkIn } from './rsync.ts'
import { carryAll, down, treeOrNothing, up, type Way } from './transfer.ts'
import { type Tree, type TreeEntry, treeOf } from './tree.ts'

/** Compares both ends by one list of each, then copies and removes what differs. */
export async function syncFolders(
  there: FileSystem,
  end: End,
  local: string,
  remote: string,
  options: SyncOptions,
): Promise<Synced> {
  const { direction, exclude = [], compare = 'time' } = options
  if (direction !== 'up' && direction !== 'down')
    throw new ConfigError('OPTION_INVALID', `sync: direction is ${JSON.stringify(direction)}`, {
      hint: "direction: 'up' to the cluster, 'down' from it",
    })
  if (compare !== 'time' && compare !== 'hash')
    throw new ConfigError('OPTION_INVALID', `sync: compare is ${JSON.stringify(compare)}`, {
      hint: "compare: 'time' or 'hash'",
    })
  const way = direction === 'up' ? up(there, end) : down(there, end)
  const [from, to] = (direction === 'up' ? [local, remote] : [remote, local]).map((path) =>
    trimSlashes(requirePath(path, 'sync')),
  ) as [string, string]
  const ends =
    direction === 'up'
      ? { source: nearEnd(() => process.cwd()), target: end }
      : { source: end, target: nearEnd(() => process.cwd()) }
  const source = await treeOf(way.from, from, exclude)
  const target = (await treeOrNothing(way.to, to, exclude)) ?? { folder: to, entries: [], skipped: [] }
  const changes = await changesOf(source, target, ends, options)
  if (!options.dryRun) {
    if (changes.removed.length > 0) await ends.target.removeBelow(to, changes.removed)
    await way.to.mkdir(to)
    const carry = options.rsync === false ? undefined : await deltasOf(end, local, direction, changes)
    const entries = changes.copied.filter((entry) => !carry || !changes.patched.has(entry))
    const patched = carry ? [{ from, to, entries: [...changes.patched], carry }] : []
    await carryAll(way, [{ from, to, entries }, ...patched], options)
  }
  const files = changes.copied.filter(({ type }) => type !== 'folder')
  return {
    copied: files.map(({ relative }) => relative),
    removed: changes.removed,
    unchanged: source.entries.filter(({ type }) => type !== 'folder').length - files.length,
    skipped: source.skipped,
    bytes: files.reduce((sum, { type, size }) => sum + (type === 'file' ? size : 0), 0),
  }
}

async function deltasOf(
  end: End,
  local: string,
  direction: SyncOptions['direction'],
  { patched }: Changes,
): Promise<Way['carry'] | undefined> {
  if (patched.size === 0 || !canWorkIn(local)) return undefined
  const deltas = await end.deltas()
  return deltas && (direction === 'up' ? deltas.receive : deltas.send)
}

interface Changes {
  readonly copied: readonly TreeEntry[]
  /** Those of them that are large files at both ends. */
  readonly patched: ReadonlySet<TreeEntry>
  readonly removed: readonly string[]
}

async function changesOf(
  source: Tree,
  target: Tree,
  ends: { source: End; target: End },
  { delete: deletes = false, compare = 'time' }: SyncOptions,
): Promise<Changes> {
  const there = new Map(target.entries.map((entry) => [entry.relative, entry]))
  const here = new Set(source.entries.map(({ relative }) => relative))
  const same = (type: TreeEntry['type']) =>
    source.entries.filter((entry) => {
      const other = there.get(entry.relative)
      return entry.type === type && other?.type === type && other.size === entry.size
    })
  const [files, links] = [same('file'), same('link')].map((list) => list.map(({ relative }) => relative)) as [
    string[],
    string[],
  ]
  const inBoth = async (list: readonly string[], read: 'hashes' | 'targets') => {
    const [ours, theirs] = await Promise.all([
      ends.source[read](source.folder, list),
      ends.target[read](target.folder, list),
    ])
    return list.filter((_, at) => ours[at] === theirs[at])
  }
  const equal = new Set([
    ...(await inBoth(links, 'targets')),
    ...(compare === 'hash'
      ? await inBoth(files, 'hashes')
      : same('file')
          .filter((entry) => there.get(entry.relative)!.mtime === entry.mtime)
          .map(({ relative }) => relative)),
  ])
  const copied = source.entries.filter(({ relative, type }) =>
    type === 'folder' ? there.get(relative)?.type !== 'folder' : !equal.has(relative),
  )
  const gone = new Set<string>()
  for (const { relative, type } of target.entries) {
    const kind = source.entries.length > 0 && here.has(relative) ? kindOf(source, relative) : undefined
    // A folder is in the way of a file, or a file in the way of a folder.
    const inTheWay = kind !== undefined && (kind === 'folder') !== (type === 'folder')
    if (inTheWay && !deletes) throw inTheWayOf(target.folder, relative, type)
    if (inTheWay || (deletes && kind === undefined)) gone.add(relative)
  }
  // What lies in a folder that goes, goes with it.
  const removed = [...gone].filter((relative) => !parentsOf(relative).some((parent) => gone.has(parent)))
  const patched = copied.filter((entry) => isLarge(entry) && there.get(entry.relative)?.type === 'file')
  return { copied, patched: new Set(patched), removed }
}

const kinds = new WeakMap<Tree, Map<string, TreeEntry['type']>>()
function kindOf(tree: Tree, relative: string): TreeEntry['type'] | undefined {
  const known = kinds.get(tree) ?? new Map(tree.entries.map((entry) => [entry.relative, entry.type]))
  kinds.set(tree, known)
  return known.get(relative)
}

function parentsOf(relative: string): string[] {
  const parts = relative.split('/')
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'))
}

function inTheWayOf(folder: string, relative: string, type: string): FileError {
  const path = `${folder}/${relative}`
  return new FileError('FILE_WRONG_TYPE', `sync ${path}: it is a ${type} here, and not at the source`, path, {
    hint: '`delete: true` replaces it',
  })
}
