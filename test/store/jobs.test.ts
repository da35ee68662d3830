import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inRowLimit } from '../../src/store/files.ts'
import { argsOf, newJob, opened } from './helpers.ts'

const filesOf = (folder: string) =>
  existsSync(join(folder, 'files')) ? readdirSync(join(folder, 'files')) : []

test('a job is recorded whole, with its payload, and read by another process', () => {
  const { store, again, time } = opened()
  const job = newJob({}, { tags: ['paper', 'run 3'], cacheKeys: ['k1'] })
  store.add(job)
  const other = again()
  expect(other.get(job.spec.id)).toEqual({
    id: job.spec.id,
    attempt: 1,
    name: 'simulate',
    function: 'simulate',
    profile: 'hpc',
    profileSettings: job.profile.settings,
    tags: ['paper', 'run 3'],
    items: 1,
    members: 1,
    status: { state: 'NEW', time },
    createdAt: time,
    spec: job.spec,
    provenance: job.provenance,
    owner: job.owner,
    cacheKeys: ['k1'],
    hasPayload: true,
  })
  const payload = other.payload(job.spec.id)!
  expect(argsOf(other, job.spec.id)!.map((bytes) => Buffer.from(bytes).toString())).toEqual([
    'values',
    '[42]',
  ])
  expect(Buffer.from(payload.bundle)).toEqual(job.payload.bundle)
  expect(other.bundle(job.spec.bundle.sha256)).toEqual({ code: job.payload.bundle, map: '{"version":3}' })
})

test('recording a job again changes nothing', () => {
  const { store } = opened()
  const job = newJob()
  store.add(job)
  store.submitted(job.spec.id, 1, '77')
  store.add(job)
  expect(store.list()).toHaveLength(1)
  expect(store.get(job.spec.id)).toMatchObject({ nativeId: '77', hasPayload: false })
})

test.each([
  ['small', 10, 0],
  ['large', inRowLimit + 1, 1],
])('%s arguments are kept until the place has them', (_, size, files) => {
  const { store, folder } = opened()
  const job = newJob({}, { arg: new Uint8Array(size).fill(7) })
  store.add(job)
  expect(filesOf(folder)).toHaveLength(files)
  expect(argsOf(store, job.spec.id)![1]).toHaveLength(size)
  store.submitted(job.spec.id, 1, '77', '/scratch/me/jobs/x')
  expect(store.payload(job.spec.id)).toBeUndefined()
  expect(filesOf(folder)).toEqual([])
  expect(store.get(job.spec.id)).toMatchObject({ nativeId: '77', folder: '/scratch/me/jobs/x' })
})

test('a file of arguments that was cut off is no payload', async () => {
  const { store, folder } = opened()
  const job = newJob({}, { arg: new Uint8Array(inRowLimit * 2) })
  store.add(job)
  const { truncateSync } = await import('node:fs')
  truncateSync(join(folder, 'files', filesOf(folder)[0]!), 100)
  expect(store.payload(job.spec.id)).toBeUndefined()
})

test('states are kept with their times, and only go forward', () => {
  const state = opened()
  const { store } = state
  const job = newJob({ members: 2, items: 2 })
  const { id } = job.spec
  store.add(job)
  state.time += 1000
  store.status([
    { id, status: { state: 'QUEUED', native: 'PENDING', message: 'Priority' } },
    { id, status: { state: 'ACTIVE', time: state.time + 5 } },
    { id, member: 1, status: { state: 'ACTIVE' } },
    { id, member: 1, status: { state: 'ACTIVE' } },
    { id, status: { state: 'QUEUED' } },
    { id: 'fnosuchjobaaaa', status: { state: 'ACTIVE' } },
  ])
  state.time += 1000
  const usage = { members: [[0, { peakMemory: 5e9 }]], environments: [[0, { host: 'n1' }]] } as const
  store.ended(id, { state: 'FAILED', reason: 'out-of-memory' }, { usage, nodeVersion: 'v24.1.0' })
  store.status([{ id, status: { state: 'ACTIVE' } }])
  expect(
    store.statuses(id).map(({ member, status }) => [member, status.state, status.reason ?? status.message]),
  ).toEqual([
    [undefined, 'NEW', undefined],
    [1, 'ACTIVE', undefined],
    [undefined, 'QUEUED', 'Priority'],
    [undefined, 'ACTIVE', undefined],
    [undefined, 'FAILED', 'out-of-memory'],
  ])
  expect(store.get(id)).toMatchObject({
    status: { state: 'FAILED', reason: 'out-of-memory' },
    endedAt: state.time,
    usage,
    nodeVersion: 'v24.1.0',
    hasPayload: false,
  })
})

test('a job does not end before it was submitted, whatever the clock of its machine says', () => {
  const { store, time } = opened()
  const job = newJob()
  store.add(job)
  store.submitted(job.spec.id, 1, '77')
  store.ended(job.spec.id, { state: 'COMPLETED', time: time - 1 })
  expect(store.get(job.spec.id)).toMatchObject({ submittedAt: time, endedAt: time })
})

test('another attempt makes the job new again, and the history shows both', () => {
  const { store } = opened()
  const job = newJob()
  const { id } = job.spec
  store.add(job)
  store.submitted(id, 1, '77')
  store.ended(id, { state: 'FAILED', reason: 'out-of-memory' })
  const second = { ...job.spec, attempt: 2, resources: { memoryBytes: 4e9 } }
  store.retry(second, job.payload)
  expect(store.get(id)).toMatchObject({
    attempt: 2,
    spec: second,
    status: { state: 'NEW' },
    hasPayload: true,
  })
  expect(store.get(id)!.endedAt).toBeUndefined()
  expect(store.list({ unsubmitted: true })).toHaveLength(1)
  // Late news of the first attempt's submission is not the second's.
  store.submitted(id, 1, '77')
  expect(store.get(id)!.hasPayload).toBe(true)
  store.submitted(id, 2, '78')
  expect(store.attempts(id)).toMatchObject([
    { attempt: 1, nativeId: '77', spec: job.spec },
    { attempt: 2, nativeId: '78', spec: second },
  ])
  expect(store.find('77').map((row) => row.id)).toEqual([id])
  // The place has its arguments.
  store.retry({ ...job.spec, attempt: 3 })
  expect(store.get(id)).toMatchObject({ attempt: 3, status: { state: 'NEW' }, hasPayload: false })
})

test('a job that is dealt anew before it is submitted is what is taken up, and not after', () => {
  const { store } = opened()
  const job = newJob()
  store.add(job)
  const fewer = { ...job.spec, chunk: 5, members: 1 }
  store.dealtAnew(fewer)
  expect(store.get(job.spec.id)).toMatchObject({ members: 1, spec: fewer })
  store.submitted(job.spec.id, 1, '12')
  store.dealtAnew({ ...fewer, members: 7 })
  expect(store.get(job.spec.id)).toMatchObject({ members: 1, spec: fewer })
})

test('lists are newest first, and every filter filters', () => {
  const state = opened()
  const { store } = state
  const base = state.time
  const jobs = Array.from({ length: 60 }, (_, k) => {
    const job = newJob(
      { function: { name: k % 2 ? 'odd' : 'even' } },
      {
        tags: k % 10 === 0 ? ['ten', `t${k}`] : [],
        profile: { name: k < 30 ? 'hpc' : 'here', settings: { scheduler: 'direct' } },
      },
    )
    state.time = base + k
    store.add(job)
    if (k >= 50) store.submitted(job.spec.id, 1, `n${k}`)
    if (k >= 55) store.ended(job.spec.id, { state: k === 59 ? 'FAILED' : 'COMPLETED' })
    return job.spec.id
  })
  const numbers = (filter?: Parameters<typeof store.list>[0]) =>
    store.list(filter).map((row) => jobs.indexOf(row.id))
  const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, k) => from - k)
  expect(numbers()).toEqual(down(59, 10))
  expect(numbers({ limit: 3 })).toEqual([59, 58, 57])
  expect(numbers({ state: 'FAILED' })).toEqual([59])
  expect(numbers({ state: ['COMPLETED', 'FAILED'] })).toEqual(down(59, 55))
  expect(numbers({ state: ['FAILED', 'NEW'], limit: 2 })).toEqual([59, 54])
  expect(numbers({ profile: 'hpc', limit: 2 })).toEqual([29, 28])
  expect(numbers({ function: 'odd', limit: 2 })).toEqual([59, 57])
  expect(numbers({ tag: 'ten' })).toEqual([50, 40, 30, 20, 10, 0])
  expect(numbers({ tag: 'ten', profile: 'hpc', since: base + 10, until: base + 20 })).toEqual([10])
  expect(numbers({ unsubmitted: true, limit: 1 })).toEqual([49])
  store.collected(jobs.slice(1))
  expect(numbers({ uncollected: true })).toEqual([0])
  expect(numbers({ tag: 'no such' })).toEqual([])
})

test('jobs are found by the beginning of their id or by their native id, taken by the letter', () => {
  const { store } = opened()
  const [a, b] = [newJob({ id: 'fabcdaaaaaaaaa' }), newJob({ id: 'fabceaaaaaaaaa' })]
  for (const job of [a, b]) store.add(job)
  store.submitted(a.spec.id, 1, '4711')
  const ids = (text: string) => store.find(text).map((row) => row.id)
  expect(ids('fabcd')).toEqual([a.spec.id])
  expect(ids('fabc').sort()).toEqual([a.spec.id, b.spec.id])
  expect(ids('4711')).toEqual([a.spec.id])
  expect([ids('471'), ids('fab'), ids('fab%'), ids('____'), ids('')]).toEqual([[], [], [], [], []])
})

test('what a job is forgotten with goes too, and its bundle stays for others', () => {
  const { store, folder } = opened()
  const [a, b] = [newJob({}, { arg: new Uint8Array(inRowLimit * 2), tags: ['x'] }), newJob()]
  for (const job of [a, b]) store.add(job)
  store.claim(a.spec.id, a.owner, [{ key: 'k', item: 0 }])
  store.remove([a.spec.id, 'fnosuchjobaaaa'])
  expect(store.get(a.spec.id)).toBeUndefined()
  expect(store.statuses(a.spec.id)).toEqual([])
  expect(store.list({ tag: 'x' })).toEqual([])
  expect(filesOf(folder)).toEqual([])
  expect(store.claim(b.spec.id, b.owner, [{ key: 'k', item: 0 }])[0]!.outcome).toBe('won')
  expect(store.payload(b.spec.id)).toBeDefined()
})

test('folders are 0700 and files 0600, whatever the umask', () => {
  const before = process.umask(0)
  try {
    const { store, folder } = opened()
    store.add(newJob({}, { arg: new Uint8Array(inRowLimit * 2) }))
    const modes = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => statSync(join(folder, name)))
      .map((stat) => [stat.isDirectory(), stat.mode & 0o777])
    expect(modes.length).toBeGreaterThanOrEqual(6)
    for (const [isFolder, mode] of modes) expect(mode).toBe(isFolder ? 0o700 : 0o600)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  } finally {
    process.umask(before)
  }
})

test('a value that SQLite does not know is refused before it reaches libsql', () => {
  const { store } = opened()
  const job = newJob({ items: true as unknown as number })
  expect(() => store.add(job)).toThrow(TypeError)
  expect(store.list()).toEqual([])
  store.add(newJob())
  expect(store.list()).toHaveLength(1)
})

test('all text comes back as it was', () => {
  const { store } = opened()
  const odd = `'; DROP TABLE jobs; --\n"\\ \u{1f600} ü\u0001`
  const job = newJob({ name: odd, function: { name: odd } }, { tags: [odd], map: odd })
  store.add(job)
  store.submitted(job.spec.id, 1, odd)
  expect(store.get(job.spec.id)).toMatchObject({ name: odd, function: odd, tags: [odd], nativeId: odd })
  expect(store.list({ tag: odd, function: odd })).toHaveLength(1)
  expect(store.find(odd)).toHaveLength(1)
})
