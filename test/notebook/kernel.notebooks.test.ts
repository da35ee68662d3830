import { afterAll, describe, expect, it } from 'vitest'
import { executeNotebook, makeDesk, writeNotebook } from './desk.ts'
import { printed, startKernel, whenItAnswers } from './kernel.ts'

const desk = makeDesk()
afterAll(desk.remove)

describe('tslab', () => {
  it('executes a notebook', async () => {
    writeNotebook(desk, 'plain.ipynb', ['const k: number = 20', 'console.log(k + 22)'])
    const [, second] = await executeNotebook(desk, 'plain.ipynb')
    expect(printed(second!)).toBe('42\n')
  })

  it('is driven cell by cell, interrupted and restarted', async () => {
    const kernel = await startKernel(desk)
    try {
      expect(await kernel.run('const k = 1')).toEqual([])
      // What stands before the first await is interrupted by other words.
      const waiting = kernel.start('await null; console.log("here"); await new Promise(() => {})')
      await waiting.until((outputs) => printed(outputs) === 'here\n')
      kernel.interrupt()
      expect(printed(await waiting.done, 'stderr')).toMatch(/Interrupted asynchronously/)
      await whenItAnswers(kernel)
      expect(printed(await kernel.run('console.log(k)'))).toBe('1\n')
      const before = kernel.pid
      await kernel.restart()
      expect(kernel.pid).not.toBe(before)
      expect(printed(await kernel.run('console.log(k)'), 'stderr')).toMatch(/Cannot find name 'k'/)
    } finally {
      await kernel.stop()
    }
  })
})
