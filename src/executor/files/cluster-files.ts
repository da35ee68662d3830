import { homedir } from 'node:os'
import { localFiles } from '../../files/local.ts'
import type { ClusterFiles } from '../../files/types.ts'
import type { Transport } from '../../transport/transport.ts'
import { farEnd } from './far-end.ts'
import { farFiles } from './far-files.ts'
import { nearEnd } from './near-end.ts'
import { syncFolders } from './sync.ts'
import { down, transfer, up } from './transfer.ts'

/** The files of the machine that a transport leads to. `here`: it is this one. */
export function clusterFiles(transport: Transport, here: boolean): ClusterFiles {
  const fs = here ? localFiles(homedir) : farFiles(transport)
  const end = here ? nearEnd(homedir) : farEnd(transport)
  return {
    ...fs,
    put: (local, remote, options) => transfer(up(fs, end), local, remote, options),
    get: (remote, local, options) => transfer(down(fs, end), remote, local, options),
    sync: (local, remote, options) => syncFolders(fs, end, local, remote, options),
  }
}
