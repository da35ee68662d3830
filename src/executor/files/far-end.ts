import { fileFailureOf } from '../../files/failures.ts'
import { joinPath } from '../../files/paths.ts'
import type { Transport } from '../../transport/transport.ts'
import { archives, batches, isLarge } from './archives.ts'
import { countUp, insist, listOf, splitAtNul } from './carrying.ts'
import type { Carrying, End } from './end.ts'
import { farShell } from './far-files.ts'
import { largeFiles } from './large-files.ts'
import { localPath, makeFolderLocally, refuseSync } from './near-end.ts'
import { bothHaveRsync, carryByRsync, type RsyncJob } from './rsync.ts'
import * as scripts from './transfer-scripts.ts'
import { encodeWord } from './words.ts'

/** Transfers to and from the machine that a transport leads to. */
export function farEnd(transport: Transport): End {
  const { run, succeed } = farShell(transport)

  const hashes: End['hashes'] = async (folder, relatives) => {
    if (relatives.length === 0) return []
    const { stdout } = await succeed('read', folder, scripts.hashScript, [encodeWord(folder)], {
      stdin: listOf(relatives),
    })
    const sums = [
      ...Buffer.from(stdout)
        .toString('latin1')
        .matchAll(/^\\?([0-9a-f]{64}) [ *]/gm),
    ].map(([, sum]) => sum!)
    if (sums.length !== relatives.length)
      throw fileFailureOf('read', folder, `${sums.length} checksums came for ${relatives.length} files`)
    return sums
  }

  const small = archives(transport)
  const large = largeFiles(transport, hashes)

  let rsync: Promise<boolean> | undefined
  const byRsync = (job: Omit<RsyncJob, 'arrived'>, carrying: Carrying) => {
    const arrived = countUp(carrying)
    return insist(() => carryByRsync(transport, { ...job, arrived }, carrying))
  }

  return {
    async deltas() {
      rsync ??= bothHaveRsync(transport)
      rsync.catch(() => {
        // asked again
        rsync = undefined
      })
      if (!(await rsync)) return undefined
      return {
        receive: (local, remote, entries, carrying) =>
          byRsync({ direction: 'up', local, remote, entries }, carrying),
        send: (remote, local, entries, carrying) =>
          byRsync({ direction: 'down', local, remote, entries }, carrying),
      }
    },
    async receive(localFolder, folder, entries, carrying) {
      const local = localPath(localFolder)
      const folders = entries.filter(({ type }) => type === 'folder')
      if (folders.length > 0) {
        const stdin = listOf(folders.map(({ relative }) => relative))
        await succeed('mkdir', folder, scripts.foldersScript, [encodeWord(folder)], { stdin })
      }
      for (const some of batches(entries)) await insist(() => small.receive(local, folder, some, carrying))
      for (const entry of entries.filter(isLarge)) {
        const arrived = countUp(carrying)
        await insist(() => large.receive(local, folder, entry, carrying, arrived))
      }
    },
    async send(folder, localFolder, entries, carrying) {
      const local = localPath(localFolder)
      for (const entry of entries)
        if (entry.type === 'folder') await makeFolderLocally(joinPath(local, entry.relative), entry.mode)
      for (const some of batches(entries)) await insist(() => small.send(folder, local, some, carrying))
      for (const entry of entries.filter(isLarge)) {
        const arrived = countUp(carrying)
        await insist(() => large.send(folder, local, entry, carrying, arrived))
      }
    },
    hashes,
    async targets(folder, relatives) {
      if (relatives.length === 0) return []
      const { stdout } = await succeed('read', folder, scripts.targetsScript, [encodeWord(folder)], {
        stdin: listOf(relatives),
      })
      return splitAtNul(Buffer.from(stdout))
    },
    async removeBelow(folder, relatives) {
      if (relatives.length === 0) return
      const stdin = listOf(relatives)
      const result = await run(scripts.removeBelowScript, [encodeWord(folder)], { stdin })
      if (result.exitCode === 90) throw refuseSync(folder)
      if (result.exitCode !== 0) throw fileFailureOf('remove', folder, result.stderr)
    },
  }
}
