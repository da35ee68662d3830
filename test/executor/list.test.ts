import { describe, expect, it } from 'vitest'
import { parseList } from '../../src/executor/batch/list.ts'
import { direct } from '../../src/scheduler/direct.ts'
import { slurm } from '../../src/scheduler/slurm.ts'
import { payload } from '../../src/testing/payload.ts'

/** What listScript prints of a job that was submitted. */
function listed(answer: string, scheduler?: string): { id: string; text: string } {
  const { spec } = payload('() => 1')
  const file = (name: string, content: string) => `jobs/${spec.id}/${name}:${content}`
  const lines = [
    file('spec.json', JSON.stringify({ ...spec, scheduler })),
    file('submit.1/rc', '0'),
    file('submit.1/out', answer),
  ]
  return { id: spec.id, text: lines.join('\n') }
}

describe('a place with two schedulers', () => {
  const here = listed('vm:1cc6267e-a273-49a0-a461-761a754a4723:16426:1137653', 'direct')
  const queued = listed('4711', 'slurm')
  const text = `${here.text}\n${queued.text}\n`

  it('has the jobs of each for that one only', () => {
    for (const [scheduler, own] of [
      [slurm, queued.id],
      [direct, here.id],
    ] as const) {
      const { jobs, unreadable } = parseList(text, scheduler)
      expect(jobs.map(({ spec }) => spec.id)).toEqual([own])
      expect(unreadable).toEqual([])
    }
  })

  it('a spec that names none, or a damaged one, is told of', () => {
    const old = listed('4712')
    expect(parseList(old.text, slurm).jobs.map(({ spec }) => spec.id)).toEqual([old.id])
    const damaged = old.text.replace('{', '')
    expect(parseList(damaged, slurm).unreadable).toMatchObject([
      { id: old.id, error: { code: 'RESULT_CORRUPT' }, nativeIds: ['4712'] },
    ])
  })
})
