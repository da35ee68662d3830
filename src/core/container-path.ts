import { ConfigError } from './errors.ts'
import { requirePlainText } from './shell.ts'

/** Of the system inside: nothing else is put there. */
const ownTargets = ['/proc', '/sys', '/dev', '/']

/** @throws ConfigError OPTION_INVALID for a path inside that leads elsewhere, or hides what has to be there */
export function requireInside(path: string, where: string): void {
  requirePlainText(path, where)
  if (!path.startsWith('/')) throw invalidSetting(where, path, 'an absolute path inside the container')
  if (path.split('/').includes('..')) throw invalidSetting(where, path, 'a path without ..')
  const plain = path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
  const hides = ownTargets.find((own) => plain === own || (own !== '/' && plain.startsWith(`${own}/`)))
  if (hides !== undefined)
    throw new ConfigError('OPTION_INVALID', `${where}: ${path} would hide the container's own ${hides}`, {
      hint: 'mount it somewhere else, like /data',
    })
}

export function invalidSetting(where: string, value: unknown, wanted: string): ConfigError {
  return new ConfigError('OPTION_INVALID', `${where}: ${JSON.stringify(value)} is not ${wanted}`)
}
