import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { isAlive, until } from '../clusters/processes.ts'
import { type DenoDeskOptions, failure, makeDenoDesk, said } from './deno.ts'
import type { Desk } from './desk.ts'
import { type Kernel, printed, startKernel } from './kernel.ts'
import { interruptedBy, waitCell } from './waiting.ts'

let desk: Desk
let kernel: Kernel | undefined

afterEach(async () => {
  await kernel?.stop()
  kernel = undefined
  desk.remove()
})

async function start(interrupt: 'cancel' | 'detach', mode: DenoDeskOptions = {}): Promise<Kernel> {
  desk = makeDenoDesk({ ...mode, config: interruptedBy(interrupt) })
  kernel = await startKernel(desk, 'deno')
  await kernel.run(`import { existsSync, writeFileSync } from 'node:fs'\n${waitCell('npm:farcall')}`)
  return kernel
}

/** Runs a cell that waits for `job` until that is under way. */
async function begin(kernel: Kernel, awaits = 'await job') {
  await kernel.run(`const job = wait(${JSON.stringify(file())})`)
  const waiting = kernel.start(`for await (const { state } of job.updates()) if (state === 'ACTIVE') break
console.log('runs')
${awaits}`)
  await waiting.until((outputs) => printed(outputs).includes('runs\n'))
  return waiting
}

const file = () => `${desk.folder}/go`
const letEnd = () => `writeFileSync(${JSON.stringify(file())}, '')`
const json = (value: string) => `console.log(JSON.stringify(${value}))`

describe('interrupting the kernel of Deno', () => {
  it('cancels what is awaited, and the kernel goes on, however often it is interrupted', async () => {
    const kernel = await start('cancel')
    const { pid } = kernel
    const waiting = await begin(kernel)
    kernel.interrupt()
    kernel.interrupt()
    const outputs = await waiting.done
    await expect.poll(() => failure(outputs)).toMatch(/^JobCanceledError: job \w+ \(wait\) was canceled/)
    await expect.poll(() => printed(outputs, 'stderr')).toBe('farcall: canceling 1 job(s), direct on local\n')
    expect(await said(kernel, json('job.status().state'))).toBe('CANCELED')
    expect(await said(kernel, json('await cluster(() => 1)()'))).toBe(1)
    expect(kernel.pid).toBe(pid)
  })

  it.each([
    'await job',
    'await Promise.all([job])',
    'await job.outputs()',
    'for await (const line of job.logs({ follow: true })) console.log(line)',
    'for await (const one of job.updates()) console.log(one.state)',
  ])('leaves it where the profile says detach: %s ends, a later cell has the result', async (awaits) => {
    const kernel = await start('detach')
    const waiting = await begin(kernel, awaits)
    kernel.interrupt()
    const outputs = await waiting.done
    await expect
      .poll(() => failure(outputs))
      .toMatch(/^FarcallError: interrupted; what goes on: direct on local: \w+\n {2}hint: await it again/)
    await expect
      .poll(() => printed(outputs, 'stderr'))
      .toMatch(/^farcall: 1 job\(s\) go on, direct on local: \w+\n$/)
    expect(await said(kernel, json('job.status().state'))).toBe('ACTIVE')
    await kernel.run(letEnd())
    expect(await said(kernel, json('await job'))).toBe('the file was there')
  })

  it('ends the wait for a map, and the loop over its results, which goes on with the next one', async () => {
    const kernel = await start('detach')
    await kernel.run(
      `const map = wait.map([${JSON.stringify(desk.folder)}, ${JSON.stringify(file())}], { chunk: 1 })`,
    )
    for (const loop of ['for await (const { index } of map) console.log(index)', 'await map']) {
      const waiting = kernel.start(`await (await map.job(0)).job\nconsole.log('one')\n${loop}`)
      await waiting.until((outputs) => printed(outputs).includes('one\n'))
      kernel.interrupt()
      const outputs = await waiting.done
      await expect.poll(() => failure(outputs)).toMatch(/^FarcallError: interrupted; what goes on/)
    }
    await kernel.run(letEnd())
    const both = 'const seen = []; for await (const { index } of map) seen.push(index)'
    expect(await said(kernel, `${both}; ${json('seen.sort()')}`)).toEqual([0, 1])
    expect(await said(kernel, json('await map'))).toEqual(['the file was there', 'the file was there'])
  })
})

describe('interrupting a loop in the kernel of Deno', () => {
  it('loses no value of a generator: the next loop reads on', async () => {
    const kernel = await start('detach')
    await kernel.run(`const count = cluster(async function* (file: string) {
  const { existsSync } = await import('node:fs')
  yield 1
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 50))
  yield 2
  yield 3
  return 'all'
})
const stream = count(${JSON.stringify(file())})`)
    const waiting = kernel.start('for await (const value of stream) console.log(value)')
    await waiting.until((outputs) => printed(outputs) === '1\n')
    kernel.interrupt()
    const outputs = await waiting.done
    await expect.poll(() => failure(outputs)).toMatch(/^FarcallError: interrupted; what goes on/)
    await kernel.run(letEnd())
    const rest = 'const rest = []; for await (const value of stream) rest.push(value)'
    expect(await said(kernel, `${rest}; ${json('[rest, await stream.result]')}`)).toEqual([[2, 3], 'all'])
  })

  it('cancels nothing of a map whose inputs are a stream', async () => {
    const kernel = await start('detach')
    await kernel.run(`async function* files() { yield ${JSON.stringify(desk.folder)}; yield ${JSON.stringify(file())} }
const map = wait.map(files(), { chunk: 1 })`)
    const waiting = kernel.start('for await (const { index } of map) console.log(index)')
    await waiting.until((outputs) => printed(outputs) === '0\n')
    kernel.interrupt()
    const outputs = await waiting.done
    await expect.poll(() => failure(outputs)).toMatch(/^FarcallError: interrupted; what goes on/)
    await kernel.run(letEnd())
    const rest = 'const rest = []; for await (const { index, value } of map) rest.push([index, value])'
    expect(await said(kernel, `${rest}; ${json('rest')}`)).toEqual([[1, 'the file was there']])
  })
})

describe('restarting the kernel of Deno', () => {
  it.each([
    'running',
    'hung by an interrupt that came as a message',
    'killed by an interrupt while no job was followed',
  ])('loses nothing: %s', async (how) => {
    const kernel = await start('cancel', how.startsWith('hung') ? { interruptMode: 'message' } : {})
    const waiting = await begin(kernel, how.startsWith('killed') ? 'await job.detach()' : 'await job')
    waiting.done.catch(() => {}) // the kernel goes away beneath it
    if (how.startsWith('killed')) {
      await waiting.done
      kernel.interrupt()
      expect(await until(() => !isAlive(kernel.pid), 60_000)).toBe(true)
    }
    if (how.startsWith('hung')) {
      kernel.interrupt()
      const answers = kernel.run(json('1')).then(
        () => true,
        () => false,
      )
      expect(await Promise.race([answers, sleep(5_000)])).toBeUndefined()
    }
    await kernel.restart()
    await kernel.run(`import { attach, jobs } from 'npm:farcall'
import { writeFileSync } from 'node:fs'
const [found] = await jobs()`)
    // The state is what was last written down before the kernel was killed.
    const [name, state] = (await said(kernel, json('[found.name, found.status.state]'))) as [string, string]
    expect(name).toBe('wait')
    expect(state).toMatch(/^(NEW|QUEUED|ACTIVE)$/)
    expect(await said(kernel, `${letEnd()}; ${json('await attach(found.id)')}`)).toBe('the file was there')
  })
})
