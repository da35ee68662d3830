import { setting, settingPath } from '../../config/assignments.ts'
import { ConfigError } from '../../core/errors.ts'
import { shownPath } from '../setup/key-file.ts'
import { type ChangeOptions, change, chosenPlace, valueIn } from './change.ts'

/** @throws ConfigError CONFIG_INVALID, CONFIG_UNREADABLE, OPTION_INVALID */
export function setKey(key: string, value: string, options: ChangeOptions): void {
  change(chosenPlace(options), [setting(key, value)], options)
}

/** @throws ConfigError OPTION_INVALID when the file does not have it */
export function unsetKey(key: string, options: ChangeOptions): void {
  const place = chosenPlace(options)
  const path = settingPath(key)
  if (valueIn(place, path) === undefined)
    throw new ConfigError('OPTION_INVALID', `${shownPath(place.file)} does not set ${key}`, {
      hint: "`farcall config show --origin` tells which file does; --project means the project's",
    })
  change(place, [{ path, value: undefined }], options)
}
