import { expect, it } from 'vitest'
import { TransportError } from '../../src/core/errors.ts'
import { createLifeline } from '../../src/transport/connection.ts'

const lost = new TransportError('CONNECTION_LOST', 'gone', { transient: true })

it('what a library throws of a connection that is gone is told as that, whether it has been heard of or not', async () => {
  const explain = (thrown: unknown) => (thrown instanceof Error && thrown.message === 'gone' ? lost : thrown)
  const { guard, lose } = createLifeline(explain)
  const throws = (words: string) =>
    guard(() => {
      throw new Error(words)
    })
  await expect(throws('gone')).rejects.toBe(lost)
  await expect(throws('odd')).rejects.toThrow('odd')
  const closed = new TransportError('CONNECTION_LOST', 'closed')
  lose(closed)
  await expect(throws('gone')).rejects.toBe(closed)
})
