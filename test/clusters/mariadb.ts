import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { daemonGroup } from './daemons.ts'
import { run, until } from './processes.ts'

/** A private MariaDB on a socket in `folder`, with a database that its own user may fill; gives the socket. */
export async function startMariadb(
  folder: string,
  user: string,
  daemons: ReturnType<typeof daemonGroup>,
): Promise<string> {
  const data = join(folder, 'mysql')
  const socket = join(folder, 'mysql.sock')
  mkdirSync(data, { mode: 0o700 })
  const common = ['--no-defaults', `--user=${user}`, `--datadir=${data}`, '--skip-name-resolve']
  const small = [
    '--innodb-buffer-pool-size=64M',
    '--innodb-log-file-size=16M',
    '--innodb-flush-log-at-trx-commit=0',
  ]
  const root = [
    '--auth-root-authentication-method=socket',
    `--auth-root-socket-user=${user}`,
    '--skip-test-db',
  ]
  await run('mariadb-install-db', [...common, ...root])
  const wait = ['--innodb-lock-wait-timeout=900', '--skip-networking', '--performance-schema=OFF']
  daemons.start('mariadbd', 'mariadbd', [
    ...common,
    ...small,
    ...wait,
    `--socket=${socket}`,
    `--pid-file=${folder}/pids/mariadbd.pid`,
  ])
  const client = ['--no-defaults', `--socket=${socket}`, '-u', user]
  const answers = () =>
    run('mariadb-admin', [...client, 'ping']).then(
      () => true,
      () => false,
    )
  if (!(await until(answers, 60_000))) throw new Error(`mariadbd does not answer; see ${folder}/log`)
  const sql = [
    'create database if not exists slurm_acct',
    `create user if not exists '${user}'@'localhost' identified via unix_socket`,
    `grant all on slurm_acct.* to '${user}'@'localhost'`,
  ]
  await run('mariadb', [...client, '-e', sql.join(';')])
  return socket
}
