/** Changes to configuration files, shown before they are made. */
import { homedir } from 'node:os'
import { type Edit, type EditablePlace, editConfig, readConfig } from '../../config/edit.ts'
import { userFolder } from '../../config/load.ts'
import { type ConfigPlace, projectPlace, userPlace } from '../../config/where-to-write.ts'
import { ConfigError } from '../../core/errors.ts'
import { requireScheduler } from '../../executor/open.ts'
import { printJson } from '../print.ts'
import { shownPath } from '../setup/key-file.ts'
import { lineDiff } from '../setup/line-diff.ts'
import { replaceFile } from '../setup/replace-file.ts'
import { say } from '../talk.ts'

export interface ChangeOptions {
  /** The project's file instead of the user's. */
  readonly project?: boolean
  /** Shows what would change, and changes nothing. */
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** The file that new settings go to. */
export function chosenPlace({ project = false }: ChangeOptions): ConfigPlace {
  return project ? projectPlace(process.cwd(), homedir()) : userPlace(userFolder(process.env, homedir()))
}

/** Of the project's and the user's file the first that has the key. */
export function placeWith(path: Edit['path']): ConfigPlace | undefined {
  return [chosenPlace({ project: true }), chosenPlace({})].find(
    (place) => isEditable(place) && place.text !== '' && hasKey(readConfig(named(place)), path),
  )
}

const hasKey = (tree: unknown, path: readonly string[]): boolean =>
  path.every((key) => {
    const has = typeof tree === 'object' && tree !== null && Object.hasOwn(tree, key)
    tree = has ? (tree as Record<string, unknown>)[key] : undefined
    return has
  })

/** What the file says there now. */
export const valueIn = (place: ConfigPlace, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (tree, key) => (tree as Record<string, unknown> | undefined)?.[key],
    readConfig(editable(place, [])),
  )

/** @throws ConfigError CONFIG_UNREADABLE when the file is a program, SCHEDULER_UNKNOWN */
export function change(
  place: ConfigPlace,
  edits: readonly Edit[],
  { dryRun = false, json = false }: ChangeOptions,
): void {
  const target = editable(place, edits)
  for (const { path, value } of edits)
    if (path[0] === 'profiles' && path[2] === 'scheduler' && value !== undefined)
      requireScheduler(String(value))
  const made = editConfig(target, edits)
  const isNews = made !== place.text
  say(isNews ? `${target.file}:\n${lineDiff(place.text, made)}` : `${target.file} says that already`)
  if (isNews && dryRun) say('Nothing was written (--dry-run).')
  else if (isNews) replaceFile(place.file, made)
  if (json) printJson({ file: place.file, changes: edits.map(asChange), written: isNews && !dryRun })
}

/** What is taken out has no value. */
const asChange = ({ path, value }: Edit) => ({
  key: path.join('.'),
  ...(value === undefined ? {} : { value }),
})

function editable(place: ConfigPlace, edits: readonly Edit[]): EditablePlace {
  if (isEditable(place)) return named(place)
  const lines = edits.map(({ path, value }) =>
    value === undefined ? `remove ${path.join('.')}` : `${path.join('.')}: ${JSON.stringify(value)}`,
  )
  throw new ConfigError(
    'CONFIG_UNREADABLE',
    `${shownPath(place.file)} is a program, which is not changed from outside`,
    { hint: lines.length > 0 ? `change it by hand: ${lines.join('; ')}` : 'change it by hand' },
  )
}

const isEditable = (place: ConfigPlace): place is EditablePlace => place.format !== undefined
const named = (place: ConfigPlace) => ({ ...place, file: shownPath(place.file) }) as EditablePlace
