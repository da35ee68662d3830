import { afterEach, describe, expect, it } from 'vitest'
import { type Desk, makeDesk } from './desk.ts'
import { type Kernel, printed, startKernel, whenItAnswers } from './kernel.ts'
import { interruptedBy, waitCell } from './waiting.ts'

let desk: Desk
let kernel: Kernel | undefined

afterEach(async () => {
  await kernel?.stop()
  kernel = undefined
  desk.remove()
})

async function start(interrupt: 'cancel' | 'detach'): Promise<Kernel> {
  desk = makeDesk({ config: interruptedBy(interrupt) })
  kernel = await startKernel(desk)
  await kernel.run(waitCell('farcall'))
  return kernel
}

async function answer(kernel: Kernel, code: string): Promise<string> {
  await whenItAnswers(kernel)
  const outputs = await kernel.run(`console.log('-'); ${code}`)
  const words = printed(outputs, 'stderr')
  if (/error/i.test(words)) throw new Error(words)
  // A cell that was interrupted goes on in tslab, and may print before.
  const text = printed(outputs)
  return text.slice(text.indexOf('-\n') + 2)
}

/** Runs a cell until its job is under way. */
async function begin(kernel: Kernel, file: string) {
  // A name of a cell that is interrupted is none to tslab.
  await kernel.run(`const job = wait(${JSON.stringify(file)})`)
  const waiting = kernel.start(`for await (const { state } of job.updates()) if (state === 'ACTIVE') break
console.log('runs')
console.log(await job)`)
  await waiting.until((outputs) => printed(outputs).includes('runs\n'))
  return waiting
}

const file = () => `${desk.folder}/go`

describe('interrupting the kernel', () => {
  it('cancels what is awaited, and the kernel goes on, however often it is interrupted', async () => {
    const kernel = await start('cancel')
    const { pid } = kernel
    const waiting = await begin(kernel, file())
    kernel.interrupt()
    kernel.interrupt()
    expect(printed(await waiting.done, 'stderr')).toMatch(/Interrupted asynchronously/)
    expect(await answer(kernel, 'console.log(await job.catch((error: Error) => error.name))')).toBe(
      'JobCanceledError\n',
    )
    expect(await answer(kernel, 'console.log(job.status().state)')).toBe('CANCELED\n')
    expect(await answer(kernel, `console.log(await cluster(() => 1)())`)).toBe('1\n')
    expect(kernel.pid).toBe(pid)
  })

  it('leaves it where the profile says detach: a later cell has its result', async () => {
    const kernel = await start('detach')
    const waiting = await begin(kernel, file())
    kernel.interrupt()
    await waiting.done
    expect(await answer(kernel, 'console.log(job.status().state)')).toBe('ACTIVE\n')
    await answer(kernel, `(await import('node:fs')).writeFileSync(${JSON.stringify(file())}, '')`)
    // Once more where the interrupted cell has gone on by then.
    expect(await answer(kernel, 'console.log(await job)')).toMatch(/^(the file was there\n){1,2}$/)
  })
})

describe('restarting the kernel', () => {
  it('loses nothing: the job is on record, and is attached to', async () => {
    const kernel = await start('cancel')
    const waiting = await begin(kernel, file())
    waiting.done.catch(() => {}) // the kernel goes away beneath it
    await kernel.restart()
    await kernel.run(`import { attach, jobs } from 'farcall'
import { writeFileSync } from 'node:fs'
const [found] = await jobs()`)
    // The state is what was last written down before the kernel was killed.
    expect(await answer(kernel, 'console.log(found.name, found.status.state)')).toMatch(
      /^wait (NEW|QUEUED|ACTIVE)\n$/,
    )
    expect(
      await answer(
        kernel,
        `writeFileSync(${JSON.stringify(file())}, ''); console.log(await attach(found.id))`,
      ),
    ).toBe('the file was there\n')
  })
})
