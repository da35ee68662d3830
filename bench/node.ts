import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { wrapTransports } from '../src/executor/open.ts'
import { close, cluster, configure } from '../src/index.ts'
import { ObservedTransport } from '../src/testing/observed-transport.ts'
import { startRootfs } from '../test/clusters/rootfs.ts'
import { median, type Row } from './measure.ts'
import { run } from './processes.ts'

/** The first call on a machine without Node, over the same where there is one: behind a real sshd, in a root of its own. */
export async function node(): Promise<Row[]> {
  const machine = await startRootfs('glibc')
  const { sshd, workdir } = machine
  const { host, port, user, identityFile, knownHosts } = sshd
  // So that the login is known to be bare, and the Node goes before the job.
  machine.put('getconf', 'echo glibc 2.36')
  const trips = { all: 0, uploads: 0 }
  wrapTransports((transport) => {
    let before = 0
    const isUpload = (operation: string) => operation === 'put'
    return new ObservedTransport(transport, {
      before: (_, operation) => {
        if (isUpload(operation)) before = transport.roundTrips
        trips.all = transport.roundTrips
      },
      after: (_, operation) => {
        if (isUpload(operation)) trips.uploads += transport.roundTrips - before
        trips.all = transport.roundTrips
      },
    })
  })
  let count = 0
  /** Seconds and round trips of a program's first call, on a place of which nothing is known. */
  const firstCall = async () => {
    const profile = `bench${count++}`
    const environment = { variables: { PLACE: profile } }
    const place = { scheduler: 'direct', host, port, user, identityFile, knownHosts, environment }
    configure({ profiles: { [profile]: { ...place, workdir: '/scratch' } } })
    Object.assign(trips, { all: 0, uploads: 0 })
    const start = performance.now()
    await cluster({ profile }, (n: number) => n + 1)(1)
    const call = { seconds: (performance.now() - start) / 1000, ...trips }
    await close()
    for (const name of readdirSync(workdir)) rmSync(join(workdir, name), { recursive: true })
    return call
  }
  try {
    // Makes the bundle, and the runtime in the cache of this machine.
    await firstCall()
    const without = [await firstCall(), await firstCall(), await firstCall()]
    const cached = join(
      process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '', '.cache'),
      'farcall/runtimes',
    )
    const file = join(cached, `${process.versions.node}-linux-x64/node.gz`)
    const start = performance.now()
    await run('scp', [...sshd.sshArgs, '-q', file, `${user}@${host}:/scratch/node.gz`])
    const scp = (performance.now() - start) / 1000
    mkdirSync(join(machine.folder, 'bin'), { recursive: true })
    copyFileSync(process.execPath, join(machine.folder, 'bin/node'))
    await firstCall()
    const having = [await firstCall(), await firstCall(), await firstCall()]
    const of = (calls: typeof having, key: 'seconds' | 'all' | 'uploads') =>
      median(calls.map((call) => call[key]))
    const more = of(without, 'all') - of(without, 'uploads') - of(having, 'all')
    return [
      {
        suite: 'node',
        what: `first use of our runtime (${(statSync(file).size / 1e6).toFixed(0)} MB): round trips more, besides the upload`,
        value: more,
        unit: 'round trips',
        promise: 'one',
        kept: more <= 1,
      },
      {
        suite: 'node',
        what: 'round trips of the upload',
        value: of(without, 'uploads'),
        unit: 'round trips',
      },
      {
        suite: 'node',
        what: 'a first call that sends the runtime, connecting included',
        value: of(without, 'seconds'),
        unit: 's',
        floor: of(having, 'seconds'),
        floorName: 'the same with node there',
      },
      { suite: 'node', what: 'the same bytes by scp', value: scp, unit: 's' },
    ]
  } finally {
    wrapTransports((transport) => transport)
    await close()
    await machine.stop()
  }
}
