import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { close, cluster, configure, connect, display, type JobArray, show } from '../../src/index.ts'
import { histogram } from '../../src/notebook/histogram.ts'
import { html, table } from '../../src/notebook/html.ts'
import { stateGrid } from '../../src/notebook/states.ts'
import { barHtml, viewOf } from '../../src/notebook/views.ts'
import { removeFolder } from '../remove-folder.ts'

const workdir = mkdtempSync(join(tmpdir(), 'farcall-views-'))
beforeAll(() => vi.stubEnv('FARCALL_WORKDIR', workdir))
afterAll(async () => {
  await close()
  removeFolder(workdir)
})

const hostile = `<img src=x onerror="alert('1')">&amp;`
const harmless = '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;'

describe('HTML', () => {
  it('escapes what is put in, and once', () => {
    expect(html`<b>${hostile}</b>`.text).toBe(`<b>${harmless}</b>`)
    expect(html`${html`<i>${'<'}</i>`}${[html`<u></u>`, '>']}`.text).toBe('<i>&lt;</i><u></u>&gt;')
    expect(table([hostile], [[hostile]]).text.split(harmless)).toHaveLength(3)
    expect(table([hostile], [[hostile]]).text).not.toContain('<img')
  })
})

describe('a map', () => {
  const progress = { total: 10, done: 4, failed: 1, running: 2, queued: 3, rate: 2, left: 2.5 }

  it('is a bar, with what failed last', () => {
    const { text } = barHtml({ name: hostile, id: hostile, progress, failure: hostile })
    expect(text.split(harmless)).toHaveLength(4)
    expect(text).not.toContain('<img')
    expect(text).toContain('5 of 10, 2 running, 3 queued, 2.0/s, 3 s left')
    expect(text).toMatch(/width:40%[^<]*<\/div><div[^>]*width:10%[^<]*<\/div><div[^>]*width:20%/)
  })

  it('has a square for each item; for many, one stands for the worst of several', () => {
    const { text } = stateGrid(['COMPLETED', 'FAILED', 'ACTIVE'])
    expect(text.match(/<rect/g)).toHaveLength(3)
    expect(text).toContain('<title>1: FAILED</title>')
    const many = stateGrid([...new Array<'COMPLETED'>(4_000).fill('COMPLETED'), 'FAILED']).text
    expect(many.match(/<rect/g)).toHaveLength(1_001)
    expect(many).toContain('<title>4000–4000: FAILED</title>')
  })
})

describe('what a place has', () => {
  const resources = {
    profile: 'hpc',
    time: 0,
    notes: [hostile],
    partitions: [
      {
        name: hostile,
        isDefault: true,
        up: true,
        nodes: { total: 4, idle: 2, down: 0, drained: 0 },
        cores: { total: 64, used: 30, free: 34 },
        memory: { total: 64 * 1024 ** 3, used: 0, free: 32 * 1024 ** 3 },
      },
    ],
  }
  const job = (name: string, mine: boolean) => ({
    nativeId: '1',
    name,
    user: hostile,
    mine,
    status: { state: 'QUEUED' as const, message: hostile },
  })

  it('is a table of partitions', () => {
    const view = viewOf(resources)!
    expect(view.html.text).not.toContain('<img')
    expect(view.html.text).toContain('34 of 64')
    expect(view.html.text).toContain('32 of 64')
    expect(view.text).toContain('34/64')
  })

  it('is a queue, with one’s own jobs first and the rest counted', () => {
    const jobs = [...Array.from({ length: 30 }, () => job(hostile, false)), job('mine', true)]
    const view = viewOf({ profile: 'hpc', time: 0, jobs })!
    expect(view.html.text).not.toContain('<img')
    expect(view.html.text).toContain('0 running, 31 waiting')
    expect(view.html.text).toContain('and 6 more')
    expect(view.html.text.indexOf('<b>mine</b>')).toBeLessThan(view.html.text.indexOf(harmless))
    expect(view.text.split('\n')[2]).toContain('mine')
  })
})

describe('what was used', () => {
  const item = (seconds: number, bytes: number) => ({
    memory: { used: bytes, asked: 2 ** 30 },
    time: { used: seconds, asked: 60 },
    cpu: { used: seconds / 2 },
    hints: [],
  })

  it('is a table, against what was asked for, with the hints', () => {
    const usage = {
      memory: { used: 3 * 2 ** 30, asked: 4 * 2 ** 30 },
      time: { used: 30, asked: 60 },
      cpu: { used: 45, cores: 2, efficiency: 0.75 },
      disk: { read: 2048, written: 1024 },
      gpu: { count: 2, utilization: 0.05, memory: { used: 2 ** 30, total: 2 ** 33 } },
      hints: [hostile],
    }
    const { text, html } = viewOf(usage)!
    expect(text.split('\n')).toEqual([
      'memory  3 of 4 GB',
      'time    30 of 60 s',
      'cpu     45 s, 75 % of 2 cores',
      'disk    2 kB read, 1 kB written',
      'gpu     5 % of 2 busy, 1 of 8 GB',
      `hint: ${hostile}`,
    ])
    expect(html.text).toContain(
      '<td style="text-align:left;padding:2px 12px 2px 0;white-space:nowrap">3 of 4 GB</td>',
    )
    expect(html.text).not.toContain('<img')
    expect(html.text).not.toContain('<svg')
  })

  it('of a map is also how its items are spread, up to the limit', () => {
    const items = [item(30, 2 ** 28), item(30, 2 ** 28), item(60, 2 ** 29), item(59, 2 ** 29)]
    const usage = { ...items[2]!, items, sum: { time: 179, cpu: 89.5 } }
    const { text, html } = viewOf(usage)!
    expect(text).toMatch(/^memory \(most\) +512 of 1024 MB\n|^memory \(most\) +0.5 of 1 GB\n/)
    expect(text).toMatch(/\ntime of all +179 s$/)
    const [, time, memory] = html.text.split('<svg')
    // 30 s is the middle of 60 s, and the last two are in one bar
    expect(time!.match(/<title>[^<]*/g)).toEqual([
      '<title>2: 30 s to 32 s',
      '<title>2: 58 s to 60 s',
      '<title>limit: 60 s',
    ])
    expect(memory!.match(/<title>/g)).toHaveLength(3)
  })

  it('has no line at a limit that is far away, and no picture of what nobody knows', () => {
    expect(histogram([1, 2], String, 100).text).toMatch(/0 to 2, the limit is 100<\/div>$/)
    expect(histogram([1], String).text).toBe('')
    expect(viewOf({ memory: {}, time: {}, cpu: {}, hints: [] })!.text).toBe(
      'memory  not known\ntime    not known\ncpu     not known',
    )
  })

  it('is printed so where a job gives it', async () => {
    const job = cluster({ time: '1m' }, () => 1)()
    await job
    expect(inspect(await job.usage())).toMatch(/^memory .*\ntime +[.\d]+ of 60 s\ncpu /)
    const jobs = cluster((n: number) => n).map([1, 2])
    await jobs
    expect(inspect(await jobs.usage())).toMatch(/\ntime of all +[.\d]+ s$/)
  })
})

describe('a job', () => {
  it('is text by console.log, and HTML for a kernel that asks for it; neither sends it early', async () => {
    const double = cluster({ name: 'twice' }, (n: number) => 2 * n)
    const [first, second] = [double(1), double(2)]
    for (const one of [first, second]) one.catch(() => {}) // canceled below
    expect(inspect(first)).toBe('Job not sent yet: NEW')
    const shown = (first as unknown as Record<symbol, () => Record<string, string>>)[
      Symbol.for('Jupyter.display')
    ]!()
    expect(Object.keys(shown)).toEqual(['text/html', 'text/plain'])
    expect(second.id).toBe(first.id.replace('[0]', '[1]'))
    await Promise.all([first.cancel(), second.cancel()])
  })

  it('is passed over where it is no job', () => {
    const prototype = Object.getPrototypeOf(cluster(() => 1).map) as JobArray<unknown>
    expect(viewOf(prototype)).toBeUndefined()
    expect(viewOf({ profile: 1 })).toBeUndefined()
  })
})

describe('outside of notebooks', () => {
  // What it shows is the place as it is without settings.
  beforeAll(() => vi.unstubAllEnvs())

  it('display prints text, and other values as they are', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    display({ profile: 'p', time: 0, jobs: [] })
    display({ a: 1 })
    expect(log.mock.calls).toEqual([['0 running, 0 waiting'], [{ a: 1 }]])
    log.mockRestore()
  })

  it('show tells of profiles, settings and the place, and of no secret', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    await show('local')
    const [[text]] = log.mock.calls as [[string]]
    log.mockRestore()
    expect(text).toMatch(/^PROFILE +SCHEDULER +HOST\nlocal \* +direct +this machine/)
    expect(text).toMatch(/\nPARTITION /)
    expect(text).not.toContain('chooses another one')
    await expect(show('nonesuch')).rejects.toMatchObject({ name: 'ConfigError' })
  })

  it('show says how another profile is chosen, and shows that one then', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    configure({ profiles: { here: { scheduler: 'direct' }, there: { scheduler: 'direct' } } })
    await show()
    await show('here')
    configure({ defaultProfile: 'there' })
    await show()
    const [[open], [first], [second]] = log.mock.calls as [[string], [string], [string]]
    log.mockRestore()
    configure({ defaultProfile: 'local' })
    expect(open).toMatch(
      /^PROFILE .*\nlocal .*\nhere +.*\nthere +.*\nconfigure\(\{ defaultProfile: 'there' \}\) chooses one$/,
    )
    expect(first).toMatch(
      /\nhere \* .*\nthere .*\nconfigure\(\{ defaultProfile: 'there' \}\) chooses another one\n/,
    )
    expect(second).toMatch(/\nthere \* /)
  })

  it('what connect() gives is printed as a table, and is still plain data', async () => {
    const place = await connect('local')
    const resources = await place.resources()
    await place.close()
    expect(inspect(resources)).toMatch(/^PARTITION /)
    expect(Object.keys(JSON.parse(JSON.stringify(resources)))).toEqual(Object.keys(resources))
  })
})
