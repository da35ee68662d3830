import { statfsSync } from 'node:fs'

/** Magic numbers of statfs(2), as coreutils' stat.c names them: filesystems whose files other machines may have open. */
const shared = new Set([
  0x6969, // nfs
  0x517b, // smb
  0xff534d42, // cifs
  0xfe534d42, // smb2
  0x0bd00bd0, // lustre
  0x47504653, // gpfs
  0x19830326, // beegfs
  0x65735546, // fuse: sshfs, GlusterFS, many others
  0x00c36400, // ceph
  0x5346414f, // afs
  0x6b414653, // afs of the kernel
  0x01021997, // 9p
  0xaad7aaea, // panfs
  0x7461636f, // ocfs2
  0x01161970, // gfs2
  0x73757245, // coda
  0x564c, // ncp
  0x786f4256, // vboxsf
  0xbacbacbc, // vmhgfs
  0x013111a8, // ibrix
  0xbeefdead, // snfs
  0x20030528, // orangefs
  0x7c7c6673, // prl_fs
  0x61636673, // acfs
])

export type Journal = 'WAL' | 'TRUNCATE'

/** WAL needs memory that all its processes share, which a network filesystem has not: sqlite.org/wal.html. */
export function journalFor(type: number): Journal {
  // Some kernels give f_type with its sign.
  return shared.has(type >>> 0) ? 'TRUNCATE' : 'WAL'
}

export function journalOf(folder: string): Journal {
  return journalFor(statfsSync(folder).type)
}
