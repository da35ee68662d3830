import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/clock.ts'
import { Api } from '../../../src/executor/kubernetes/api.ts'
import { IdentitySource } from '../../../src/executor/kubernetes/credentials.ts'
import { PodWatch } from '../../../src/executor/kubernetes/pod-watch.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A server that answers each request by the next of these: it shows what a real one does once in hours. */
async function scripted(answers: ((url: URL, response: ServerResponse) => void)[]) {
  const asked: URL[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x')
    asked.push(url)
    answers.shift()?.(url, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const access = { server: `http://127.0.0.1:${port}`, namespace: 'n', insecure: false, credentials: {} }
  const api = new Api(access, new IdentitySource({}, {}))
  const seen: string[] = []
  let wake = () => {}
  const note = (word: string) => {
    seen.push(word)
    wake()
  }
  const watch = new PodWatch(api, systemClock, {
    changed: ({ metadata }) => note(`changed ${metadata.name}`),
    deleted: ({ metadata }) => note(`deleted ${metadata.name}`),
    listed: () => note('listed'),
    trouble: () => note('trouble'),
  })
  closing.push(() => {
    watch.stop()
    api.close()
    server.closeAllConnections()
    server.close()
  })
  const until = async (word: string) => {
    while (!seen.includes(word)) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { watch, asked, seen, until }
}

const pod = (name: string, version: string) => ({ metadata: { name, uid: name, resourceVersion: version } })
const list =
  (version: string, ...items: object[]) =>
  (_: URL, response: ServerResponse) =>
    response.end(JSON.stringify({ metadata: { resourceVersion: version }, items }))
const events =
  (...lines: object[]) =>
  (_: URL, response: ServerResponse) => {
    response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }
const stays = (_: URL, response: ServerResponse) => response.write('\n')

it('goes on from the last bookmark, and lists anew what is too old for the server', async () => {
  const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }
  const { watch, asked, seen, until } = await scripted([
    list('10', pod('a', '9'), pod('b', '8')),
    events(
      { type: 'MODIFIED', object: pod('a', '11') },
      { type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } },
    ),
    events({ type: 'ERROR', object: gone }),
    list('30', pod('b', '8'), pod('c', '25')),
    stays,
  ])
  watch.follow('c1')
  await until('changed c')
  expect(seen.filter((word) => word !== 'listed')).toEqual([
    'changed a',
    'changed b',
    'changed a',
    // It went while nobody was told.
    'deleted a',
    'changed b',
    'changed c',
  ])
  const versions = asked.map(({ searchParams }) => searchParams.get('resourceVersion'))
  expect(versions.slice(0, 4)).toEqual([null, '10', '20', null])
  expect(asked[0]!.searchParams.get('labelSelector')).toBe(
    'app.kubernetes.io/managed-by=farcall,farcall/client in (c1)',
  )
})

it('reads long lists by pages, and goes on after a stream that was cut', async () => {
  const { watch, asked, seen, until } = await scripted([
    (_, response) => response.end(JSON.stringify({ metadata: { continue: 'more' }, items: [pod('a', '1')] })),
    list('5', pod('b', '2')),
    (_, response) => {
      response.write(`${JSON.stringify({ type: 'ADDED', object: pod('c', '6') })}\n{"type":"AD`, () =>
        response.destroy(),
      )
    },
    events({ type: 'DELETED', object: pod('c', '7') }),
    stays,
  ])
  watch.follow('c1')
  await until('deleted c')
  expect(seen).toEqual(['changed a', 'changed b', 'listed', 'changed c', 'trouble', 'deleted c'])
  expect(asked[1]!.searchParams.get('continue')).toBe('more')
  expect(asked[3]!.searchParams.get('resourceVersion')).toBe('6')
})
