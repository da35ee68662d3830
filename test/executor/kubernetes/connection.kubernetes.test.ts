import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, inject, it } from 'vitest'
import { decode } from '../../../src/codec/codec.ts'
import { recordHeader } from '../../../src/core/pack.ts'
import { payload } from '../../../src/testing/payload.ts'
import { makeNamespace } from '../../clusters/kubernetes/namespace.ts'
import { removeFolder } from '../../remove-folder.ts'
import { workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const namespace = await makeNamespace(cluster)
const { open, give, ask, core } = workshop(cluster, namespace)
const folder = mkdtempSync(join(tmpdir(), 'farcall-kubeconfig-'))
afterAll(() => removeFolder(folder))

const config = () => JSON.parse(readFileSync(namespace.kubeconfig, 'utf8'))

function write(name: string, content: object): string {
  const file = join(folder, name)
  writeFileSync(file, JSON.stringify(content), { mode: 0o600 })
  return file
}

const waits = (name: string) =>
  payload(`async () => {
    const { existsSync } = await import('node:fs')
    while (!existsSync('/data/${name}')) await new Promise((resolve) => setTimeout(resolve, 50))
    return 'there'
  }`)

/** A way to the server that can be cut. */
async function way() {
  const open = new Set<Socket>()
  let isCut = false
  const { hostname, port } = new URL(cluster.server)
  const server = createServer((near) => {
    if (isCut) return near.destroy()
    const far = connect(Number(port), hostname)
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far).pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return {
    port: (server.address() as { port: number }).port,
    cut() {
      isCut = true
      for (const socket of open) socket.destroy()
    },
    mend() {
      isCut = false
    },
  }
}

it('goes on when the way to the server was cut, and misses nothing of what happened meanwhile', async () => {
  const { port, cut, mend } = await way()
  const content = config()
  content.clusters[0].cluster.server = `https://127.0.0.1:${port}`
  const { executor, ends, active } = open({ kubeconfig: write('cut', content) })
  const [job, deleted] = [waits('cut'), waits('never')]
  await executor.submit(job)
  await executor.submit(deleted)
  await active(job)
  await active(deleted)
  cut()
  const pods = await ask('GET', `${core}/pods?labelSelector=farcall%2Fjob%3D${deleted.spec.id}`)
  await ask('DELETE', `${core}/pods/${pods.items[0].metadata.name}`)
  give('cut')
  setTimeout(mend, 3_000)
  expect(await ends(job)).toMatchObject([{ status: { state: 'COMPLETED' } }])
  expect(await ends(deleted)).toMatchObject([{ status: { state: 'FAILED', reason: 'preempted' } }])
})

it('loses no value of a generator when the way to the server is cut again and again', {
  timeout: 90_000,
}, async () => {
  const { port, cut, mend } = await way()
  const content = config()
  content.clusters[0].cluster.server = `https://127.0.0.1:${port}`
  const { executor, ends, log } = open({ kubeconfig: write('streamed', content) })
  const text = `async function* () {
    for (let i = 0; i < 400; i++) { if (i % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 50)); yield i }
  }`
  const job = payload(text, { spec: { stream: { items: 40, bytes: 1e6 } } })
  const { id } = job.spec
  await executor.submit(job)
  const read: unknown[] = []
  let [bytes, told, cuts] = [0, 0, 0]
  while (read.length < 400) {
    const known = () => log.of(id).flatMap((event) => (event.type === 'yield' ? [event.report.bytes] : [0]))
    await log.until(() => Math.max(0, ...known()) > bytes || log.ends(id).length > 0)
    const values = await executor.yields!({ id, member: 0, item: 0 }, bytes, 10_000, bytes + 1)
    for (const value of values) {
      read.push(decode(value))
      bytes += recordHeader + value.length
    }
    if (read.length - told >= 20) {
      told = read.length
      await executor.acknowledge!({ id, member: 0, item: 0 }, { count: read.length, bytes })
    }
    if (read.length > 80 * (cuts + 1) && cuts < 3) {
      cuts++
      cut()
      setTimeout(mend, 1_500)
    }
  }
  expect(cuts).toBe(3)
  expect(read).toEqual(Array.from({ length: 400 }, (_, i) => i))
  expect(await ends(job)).toMatchObject([
    { status: { state: 'COMPLETED' }, end: { yields: [{ count: 400 }] } },
  ])
})

it('logs in by a program that the kubeconfig names, and asks it again when the token is no longer taken', async () => {
  const program = join(folder, 'login')
  const token = (value: string) => `{"kind":"ExecCredential","status":{"token":"${value}"}}`
  writeFileSync(
    program,
    `#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" | grep -q client.authentication.k8s.io/v1 || exit 1
if [ -e "$MARK" ]; then echo '${token(namespace.token)}'; else : >"$MARK"; echo '${token('stale')}'; fi\n`,
  )
  chmodSync(program, 0o755)
  const content = config()
  const env = [{ name: 'MARK', value: join(folder, 'mark') }]
  content.users[0].user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './login', env } }
  const { run } = open({ kubeconfig: write('exec', content) })
  expect(await run(payload('() => 1'))).toMatchObject([{ status: { state: 'COMPLETED' } }])
})

it('says who does not let it in', async () => {
  const unknown = config()
  unknown.users[0].user = { token: 'nonsense' }
  const { executor } = open({ kubeconfig: write('unknown', unknown) })
  await expect(executor.submit(payload('() => 1'))).rejects.toMatchObject({ code: 'LOGIN_REFUSED' })

  const untrusted = config()
  delete untrusted.clusters[0].cluster['certificate-authority']
  const other = open({ kubeconfig: write('untrusted', untrusted) })
  await expect(other.executor.list!()).rejects.toMatchObject({
    code: 'HOST_UNREACHABLE',
    message: expect.stringMatching(/certificate of https:.* cannot be trusted/),
  })

  untrusted.clusters[0].cluster['insecure-skip-tls-verify'] = true
  const trusting = open({ kubeconfig: write('insecure', untrusted) })
  await expect(trusting.executor.list!()).resolves.toMatchObject({ unreadable: [] })
})
