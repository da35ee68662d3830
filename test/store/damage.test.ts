import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Database } from '../../src/store/database.ts'
import { storeFolder } from '../../src/store/folder.ts'
import { journalFor } from '../../src/store/journal.ts'
import { migrate, migrations } from '../../src/store/schema.ts'
import { removeFolder } from '../remove-folder.ts'
import { newJob, opened, temporaryFolder } from './helpers.ts'

const asRoot = process.getuid?.() === 0

/** A store with some pages, its journal written into the database, closed. */
function filled() {
  const state = opened()
  const jobs = Array.from({ length: 100 }, () => newJob())
  for (const job of jobs) state.store.add(job)
  const file = join(state.folder, 'index/store.db')
  const database = new Database(file)
  database.all('PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
  return { ...state, jobs, file, close: () => state.store.close() }
}

/** Locks that this process holds on a file, as the kernel knows them. */
const locksOn = (path: string) =>
  readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.replace(/^\d+: /, ''))
    .filter((line) => line.includes(` ${process.pid} `) && line.includes(`:${statSync(path).ino} `))

test.runIf(existsSync('/proc/locks'))(
  'a second connection of a process takes none of its locks from the first one: without them SQLite damages the file',
  () => {
    const { store, folder, again } = opened()
    store.add(newJob())
    const file = join(folder, 'index/store.db')
    const before = locksOn(file)
    expect(before.length).toBeGreaterThan(0)
    again()
    expect(locksOn(file)).toEqual(before)
  },
)

const asideOf = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('index.damaged-'))

describe('a database that is damaged is set aside with a warning, and a new one is begun', () => {
  test.each<[string, (file: string) => void]>([
    ['no database', (file) => writeFileSync(file, 'dear diary\n'.repeat(1000))],
    ['cut off in the middle', (file) => truncateSync(file, 20_000)],
    ['cut off in its first page', (file) => truncateSync(file, 1000)],
    [
      'overwritten at its beginning',
      (file) => writeSync(openSync(file, 'r+'), Buffer.alloc(4096, 0xff), 0, 4096, 0),
    ],
    ['overwritten throughout', (file) => writeFileSync(file, overwritten(readFileSync(file)))],
  ])('%s', (_, damage) => {
    const { file, folder, warnings, again, close, jobs } = filled()
    close()
    damage(file)
    const bytes = readFileSync(file)
    const store = again()
    // Some damage shows only when it is read.
    expect(store.get(jobs[50]!.spec.id)).toBeUndefined()
    const job = newJob()
    store.add(job)
    expect(again().get(job.spec.id)).toBeDefined()
    expect(store.isListed('there')).toBe(false)
    expect(warnings).toEqual([expect.stringContaining(folder)])
    const [aside] = asideOf(folder)
    expect(store.predecessor()).toEqual({ aside: join(folder, aside!) })
    expect(warnings[0]).toContain(aside)
    expect(readFileSync(join(folder, aside!, 'store.db'))).toEqual(bytes)
  })

  /** All pages but the first, whose schema still reads well. */
  const overwritten = (bytes: Buffer) =>
    Buffer.concat([bytes.subarray(0, 4096), Buffer.alloc(bytes.length - 4096, 0xa5)])

  test('under a process that runs, and in the middle of its work', () => {
    const { file, warnings, again, close, folder } = filled()
    close()
    const store = again()
    const fd = openSync(file, 'r+')
    writeSync(fd, Buffer.alloc(statSync(file).size - 4096, 0xa5), 0, undefined, 4096)
    const job = newJob()
    store.add(job)
    expect(again().get(job.spec.id)).toBeDefined()
    expect(warnings).toHaveLength(1)
    expect(asideOf(folder)).toHaveLength(1)
  })
})

test('a database that was cut off to nothing is set aside, also when another process has it open', () => {
  const { file, again, warnings, jobs, folder } = filled()
  expect(again().predecessor()).toBeUndefined()
  truncateSync(file, 0)
  const store = again()
  expect(store.list()).toEqual([])
  expect(store.predecessor()).toHaveProperty('aside')
  expect([warnings.length, asideOf(folder).length]).toEqual([1, 1])
  store.add(jobs[0]!)
  expect(again().list()).toHaveLength(1)
})

test('a database that is gone is begun anew, and stands in for it', () => {
  const { store: before, folder, again, warnings } = opened()
  const large = newJob({}, { arg: new Uint8Array(300_000) })
  before.add(large)
  before.listed('there')
  expect([before.predecessor(), again().isListed('there'), again().isListed('elsewhere')]).toEqual([
    undefined,
    true,
    false,
  ])
  before.close()
  removeFolder(join(folder, 'index'))
  const store = again()
  expect([store.predecessor(), store.isListed('there'), store.list(), warnings]).toEqual([{}, false, [], []])
})

test('a record with jobs that is older than the list of places counts as whole', () => {
  const file = join(temporaryFolder(), 'x.db')
  const database = new Database(file)
  migrate(database, file, migrations.slice(0, 1))
  database.exec(
    "INSERT INTO jobs (id, attempt, name, function, profile, items, members, bundle, state, status, created) VALUES ('f', 1, 'n', 'n', 'p', 1, 1, '', 'NEW', '{}', 1)",
  )
  migrate(database, file)
  expect(database.all('SELECT place FROM places')).toMatchObject([{ place: '' }])
  database.close()
})

test('a process whose store was removed under it goes on in a new one', { timeout: 20_000 }, async () => {
  const { store, folder, again, warnings } = opened()
  store.add(newJob())
  removeFolder(folder)
  const job = newJob({}, { arg: new Uint8Array(300_000) })
  await expect
    .poll(
      () => {
        store.add(job)
        return existsSync(join(folder, 'index/store.db')) ? again().get(job.spec.id)?.id : undefined
      },
      { timeout: 10_000 },
    )
    .toBe(job.spec.id)
  expect(store.payload(job.spec.id)).toBeDefined()
  expect(warnings).toEqual([])
})

test('a process whose store became something else reads nothing from what it had open', async () => {
  const { store, folder } = opened()
  const job = newJob()
  store.add(job)
  removeFolder(folder)
  writeFileSync(folder, '')
  const refused = () => {
    try {
      return store.get(job.spec.id)
    } catch (error) {
      return error
    }
  }
  await expect.poll(refused).toMatchObject({ code: 'STORE_UNWRITABLE' })
  expect(refused()).toMatchObject({ code: 'STORE_UNWRITABLE' })
})

test('what lies on the cluster is taken in, and what is known already is left as it is', () => {
  const { store, time } = opened()
  const [known, running, done] = [newJob(), newJob({ members: 3, tags: ['thesis'] }), newJob()]
  store.add(known)
  const found = [
    { spec: known.spec, status: { state: 'ACTIVE' }, nativeId: '1' },
    { spec: running.spec, status: { state: 'ACTIVE' }, nativeId: '2' },
    { spec: done.spec, status: { state: 'FAILED', reason: 'timeout', time }, nativeId: '3', collected: true },
  ] as const
  expect(store.restore(known.profile, found)).toEqual([running.spec.id, done.spec.id])
  expect(store.restore(known.profile, found)).toEqual([])
  expect(store.get(known.spec.id)).toMatchObject({ status: { state: 'NEW' }, hasPayload: true })
  const created = Date.parse('2026-01-01T00:00:00.000Z')
  expect(store.get(running.spec.id)).toMatchObject({ spec: running.spec, nativeId: '2', createdAt: created })
  expect(store.get(done.spec.id)).toMatchObject({ status: found[2].status, endedAt: time, profile: 'hpc' })
  expect(store.list({ tag: 'thesis' }).map(({ id }) => id)).toEqual([running.spec.id])
  expect(store.list({ uncollected: true }).map(({ id }) => id)).not.toContain(done.spec.id)
  expect(store.find('3').map((row) => row.id)).toEqual([done.spec.id])
  expect(store.list({ unsubmitted: true }).map((row) => row.id)).toEqual([known.spec.id])
  store.ended(running.spec.id, { state: 'COMPLETED' })
  expect(store.statuses(running.spec.id).map((entry) => entry.status.state)).toEqual(['ACTIVE', 'COMPLETED'])
})

test('the schema of a newer farcall is refused by name, and left as it is', () => {
  const { file, again, close, folder } = filled()
  close()
  const database = new Database(file)
  database.exec(`PRAGMA user_version = ${migrations.length + 1}`)
  database.close()
  expect(again).toThrow(
    expect.objectContaining({ code: 'STORE_NEWER', message: expect.stringContaining(file) }),
  )
  expect(asideOf(folder)).toEqual([])
})

test('an older schema is brought up to date, step by step, or not at all', () => {
  const file = join(temporaryFolder(), 'x.db')
  const database = new Database(file)
  const steps = [
    'CREATE TABLE a (x); INSERT INTO a VALUES (1)',
    'ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1',
  ]
  expect(migrate(database, file, steps.slice(0, 1))).toBe(true)
  expect(migrate(database, file, steps)).toBe(false)
  expect(database.get('SELECT x, y FROM a')).toMatchObject({ x: 1, y: 2 })
  expect(() => migrate(database, file, [...steps, 'CREATE TABLE b (x)', 'no SQL'])).toThrow(/syntax/)
  expect(database.get('PRAGMA user_version')).toMatchObject({ user_version: 2 })
  expect(() => database.get('SELECT * FROM b')).toThrow(/no such table/)
  database.close()
})

test.each([
  ['nfs', 0x6969, 'TRUNCATE'],
  ['lustre', 0x0bd00bd0, 'TRUNCATE'],
  ['gpfs', 0x47504653, 'TRUNCATE'],
  ['beegfs', 0x19830326, 'TRUNCATE'],
  ['fuse', 0x65735546, 'TRUNCATE'],
  ['cifs, with its sign', 0xff534d42 | 0, 'TRUNCATE'],
  ['ext4', 0xef53, 'WAL'],
  ['xfs', 0x58465342, 'WAL'],
  ['tmpfs', 0x01021994, 'WAL'],
  ['btrfs, with its sign', 0x9123683e | 0, 'WAL'],
])('the journal on %s', (_, type, journal) => {
  expect(journalFor(type)).toBe(journal)
})

test('the folder is that of this host under XDG_STATE_HOME, or ~/.local/state', () => {
  expect(storeFolder({}, '/home/me', 'login1')).toBe('/home/me/.local/state/farcall/login1')
  expect(storeFolder({ XDG_STATE_HOME: '/state' }, '/home/me', 'a.b')).toBe('/state/farcall/a.b')
  expect(storeFolder({ XDG_STATE_HOME: 'relative' }, '/home/me', '../x/')).toBe(
    '/home/me/.local/state/farcall/.._x_',
  )
})

test('a folder that others may write to is refused, also behind a link', () => {
  const folder = temporaryFolder()
  const [open, link] = [join(folder, 'open'), join(folder, 'link')]
  mkdirSync(open)
  symlinkSync(open, link)
  for (const mode of [0o770, 0o702]) {
    chmodSync(open, mode)
    const refused = expect.objectContaining({
      code: 'STORE_UNSAFE',
      hint: expect.stringContaining('FARCALL_STORE'),
    })
    expect(() => opened(open)).toThrow(refused)
    expect(() => opened(link)).toThrow(refused)
  }
  chmodSync(open, 0o755)
  opened(link).store.add(newJob())
})

test.runIf(asRoot)('a folder of another user is refused', () => {
  const folder = temporaryFolder()
  chownSync(folder, 12345, 12345)
  expect(() => opened(folder)).toThrow(
    expect.objectContaining({ code: 'STORE_UNSAFE', message: expect.stringMatching(/12345/) }),
  )
})

test('a folder that cannot be made is STORE_UNWRITABLE, with a way out', () => {
  const file = join(temporaryFolder(), 'file')
  writeFileSync(file, '')
  expect(() => opened(join(file, 'store'))).toThrow(
    expect.objectContaining({
      code: 'STORE_UNWRITABLE',
      message: expect.stringContaining(file),
      hint: expect.stringContaining('FARCALL_STORE'),
    }),
  )
})
