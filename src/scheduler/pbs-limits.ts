import type { CommandResult } from '../core/shell.ts'

/** Of limitsScript: a number that the server is set to. */
export function readServer(result: CommandResult, attribute: string): number | undefined {
  const value = attributesOf(result).get(attribute)
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined
}

/**
 * Of limitsScript: how many jobs the user may have in the server, members of arrays counted one by one. PBS Professional
 * has max_queued (Administrator's Guide, "Managing Job Limits"), Torque max_user_queuable. Limits of queues and groups are
 * not read.
 */
export function parseSubmitLimit(result: CommandResult): number | undefined {
  const attributes = attributesOf(result)
  const user = /^farcall-user (\S+)$/m.exec(textOf(result))?.[1]
  const limits = new Map(
    [...(attributes.get('max_queued') ?? '').matchAll(/\[\s*([uo]):([^=\]]+?)\s*=\s*(\d+)\s*\]/g)].map(
      ([, kind, name, most]) => [`${kind}:${name!.replaceAll('"', '')}`, Number(most)],
    ),
  )
  const own = limits.get(`u:${user}`) ?? limits.get('u:PBS_GENERIC')
  const known = [own, limits.get('o:PBS_ALL'), readServer(result, 'max_user_queuable')]
  const most = Math.min(...known.filter((one) => one !== undefined))
  return Number.isFinite(most) ? Math.max(1, most) : undefined
}

/** Of limitsScript: bytes that a script may have, of 100mb. */
export function parseScriptSize(result: CommandResult): number | undefined {
  const [, size, unit] =
    /^(\d+)([kmgt]?)b?$/i.exec(attributesOf(result).get('jobscript_max_size') ?? '') ?? []
  return size === undefined
    ? undefined
    : Number(size) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(unit!.toLowerCase())
}

/** OpenPBS names no number; Torque does. */
export function refusedSize(said: string): { readonly most?: number } | undefined {
  const most = /array size too large, limit is (\d+)/i.exec(said)?.[1]
  if (most !== undefined) return { most: Number(most) }
  return /Array job exceeds server or queue size limit|requested number of array jobs exceeds/i.test(said)
    ? {}
    : undefined
}

/** Long values go on in further lines. */
function attributesOf(result: CommandResult): Map<string, string> {
  const lines = textOf(result)
    .replaceAll(/\n(?:\t| {8,})\s*/g, '')
    .split('\n')
  return new Map(
    lines.flatMap((line): [string, string][] => {
      const [, name, value] = /^\s+([\w.]+) = (.*?)\s*$/.exec(line) ?? []
      return name === undefined ? [] : [[name, value!]]
    }),
  )
}

const textOf = ({ stdout }: CommandResult) => new TextDecoder().decode(stdout)
