import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failure, makeDenoDesk, runDenoExample, said } from './deno.ts'
import { executeNotebook, type Output, writeNotebook } from './desk.ts'
import { type Kernel, printed, startKernel } from './kernel.ts'

const desk = makeDenoDesk()
let kernel: Kernel

beforeAll(async () => {
  kernel = await startKernel(desk, 'deno')
})

afterAll(async () => {
  await kernel?.stop()
  desk.remove()
})

const setup = `
import { cluster, close } from 'npm:farcall'
import { sum } from 'npm:lodash-es'
const k: number = 5, list = [1, 2]
let changing = 3
class Tally { #n = 1; add(n: number) { this.#n += n; return this } get n() { return this.#n } }
const tally = new Tally().add(2)
enum Mode { A = 1, B }`
const later = `
import { basename } from 'node:path'
function helper(x: number): number { return x * k + list.length + changing }
const fn = cluster({}, (x: number) => [helper(x), tally.n, new Tally().n, Mode.B, sum([x, 1]), basename('/a/b')])`

describe('the kernel of Deno', () => {
  it('runs there what cells declared, changed and imported', async () => {
    expect(await kernel.run(setup)).toEqual([])
    expect(await kernel.run(later)).toEqual([])
    const ask = 'console.log(JSON.stringify([await fn(2), await fn.map([1, 2]), fn.local(2)]))'
    const two = [15, 3, 1, 2, 3, 'b']
    expect(await said(kernel, ask)).toEqual([two, [[10, 3, 1, 2, 2, 'b'], two], two])
    await kernel.run('changing = 4; list.push(9)')
    expect(await said(kernel, 'console.log(JSON.stringify(await fn(2)))')).toEqual([17, ...two.slice(1)])
  })

  it('takes instances and functions as arguments, and yields', async () => {
    const cell = `
      const takes = cluster({}, (t: Tally, f: (n: number) => number) => f(t.n))
      const counts = cluster({}, function* (n: number) { for (let i = 0; i < n; i++) yield i })
      const seen: number[] = []
      for await (const one of counts(3)) seen.push(one)
      console.log(JSON.stringify([await takes(new Tally().add(5), (n) => n * k), seen]))`
    expect(await said(kernel, cell)).toEqual([30, [0, 1, 2]])
  })

  it('refuses a variable that the cell assigns to before it can be read, and lives on', async () => {
    const cell = `
      const jobs = []
      for (let i = 0; i < 3; i++) { changing = i; jobs.push(fn(i)) }
      await Promise.all(jobs)`
    expect(await said(kernel, cell)).toMatch(
      /captured 'changing': the cell may assign to it \(changing = i\)/,
    )
    expect(await said(kernel, 'console.log(JSON.stringify((await fn(0))[1]))')).toBe(3)
  })

  it('refuses a method that a cell marks, by name', async () => {
    const cell = `
      class Study { @cluster({}) static async simulate(x: number) { return x } }
      await Study.simulate(1)`
    expect(await said(kernel, cell)).toMatch(/CaptureError: .*simulate was compiled by Deno/)
  })

  it('refuses a class with decorators of the cell, and what extends it', async () => {
    await kernel.run(`
      const loud = (was: any, _: unknown): any => function (this: any) { return 'loud ' + was.call(this) }
      class Greeter { @loud hi() { return 'hi' } }
      class Sub extends Greeter {}`)
    for (const name of ['Greeter', 'Sub'])
      expect(await said(kernel, `await cluster({}, () => new ${name}().hi())()`)).toMatch(
        /CaptureError: .*'Greeter' was changed after its definition[\s\S]*import the class from a file/,
      )
  })

  it('shows a job and a map as HTML, as the last value of a cell or by display()', async () => {
    const html = async (code: string) => {
      const outputs = await kernel.run(code)
      const found = () => outputs.map(({ data }) => data?.['text/html'] ?? '').join('')
      await expect.poll(() => failure(outputs) ?? found()).toMatch(/./)
      expect(failure(outputs)).toBeUndefined()
      return found()
    }
    await kernel.run("import { display, show } from 'npm:farcall'")
    await kernel.run(`const slow = cluster({ name: '<needle>' }, async (n: number) => {
  await new Promise((resolve) => setTimeout(resolve, 100))
  return n
})`)
    await kernel.run('const shownMap = slow.map([1, 2, 3, 4, 5, 6], { chunk: 1 }); await shownMap')
    expect(await html('shownMap')).toMatch(/&lt;needle&gt;/)
    expect((await html('shownMap')).match(/<rect/g)).toHaveLength(6)
    expect(await html('const { job: one } = await shownMap.job(0); one')).toMatch(/COMPLETED/)
    expect(await html('display(shownMap)')).toMatch(/<rect/)
    expect(await html('await show()')).toMatch(/this machine/)
  })

  it('writes the bar of a map again in its place while a cell waits, and to the end', async () => {
    await kernel.run(`const long = cluster({ name: 'long' }, async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
})`)
    await kernel.run(`const waits = cluster({ name: 'waits' }, async (file: string) => {
  const { existsSync } = await import('node:fs')
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 50))
})`)
    const words = (bar: Output | undefined) => bar?.data?.['text/plain'] ?? ''
    const barsOf = (outputs: readonly Output[]) => outputs.filter(({ display }) => display !== undefined)
    const [third, fourth] = [join(desk.folder, 'third'), join(desk.folder, 'fourth')]
    const files = JSON.stringify([desk.folder, desk.folder, third, fourth])
    const waiting = kernel.start(`await waits.map(${files}, { chunk: 1 })`)
    await waiting.until((outputs) => barsOf(outputs).length > 0)
    writeFileSync(third, '')
    await waiting.until((outputs) => /3 of 4 items/.test(words(barsOf(outputs).at(-1))))
    writeFileSync(fourth, '')
    const outputs = await waiting.done
    expect(failure(outputs)).toBeUndefined()
    const bars = () => barsOf(outputs)
    await expect.poll(() => words(bars().at(-1))).toMatch(/4 of 4 items/)
    const [first, ...others] = bars()
    expect(first!.output_type).toBe('display_data')
    expect(first!.data!['text/html']).toMatch(/[0-2] of 4/)
    expect(new Set(others.map(({ output_type }) => output_type))).toEqual(new Set(['update_display_data']))
    expect(new Set(bars().map(({ display }) => display)).size).toBe(1)
    // More than the last: some came while the cell was waiting.
    expect(others.some((bar) => /[1-3] of 4 items/.test(words(bar)))).toBe(true)
  })

  it('shows what farcall warns of', async () => {
    const outputs = await kernel.run("await long.map([1], { onProgress: () => { throw new Error('no') } })")
    await expect
      .poll(() => printed(outputs, 'stderr'))
      .toMatch(/^Warning: farcall: onProgress threw: Error: no\n/)
  })

  it('finds the job again after a restart', async () => {
    const cell = 'const sent = fn(2); await sent; console.log(JSON.stringify(sent.id))'
    const id = (await said(kernel, cell)) as string
    await kernel.restart()
    const again = `
      import { attach, jobs } from 'npm:farcall'
      const listed = await jobs()
      const [first] = (await attach('${id}')) as number[]
      console.log(JSON.stringify([listed.some(({ id }) => id === '${id}'), first]))`
    const [isListed, first] = (await said(kernel, again)) as [boolean, number]
    expect(isListed).toBe(true)
    expect(first).toBeGreaterThan(0)
  })

  it('executes a notebook', async () => {
    const ask = 'console.log(JSON.stringify((await fn(2))[0]))\nawait close()'
    // nbconvert leaves at once when Deno tells that it is idle, which may come before what was printed.
    const late = 'await new Promise((resolve) => setTimeout(resolve, 1000))'
    writeNotebook(desk, 'deno.ipynb', [setup, later, `${ask}\n${late}`], 'deno')
    const cells = await executeNotebook(desk, 'deno.ipynb')
    expect(cells[2]).toMatchObject([{ name: 'stdout', text: '15\n' }])
  })

  it('runs examples/03-deno-notebook.ipynb', async () => {
    await runDenoExample(desk, /local \*.*this machine/)
  })
})
