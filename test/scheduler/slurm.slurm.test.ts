import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, inject, test } from 'vitest'
import type { Command, CommandResult } from '../../src/core/shell.ts'
import { shellJoin } from '../../src/core/shell.ts'
import { renderDirectives } from '../../src/scheduler/directives.ts'
import type { Directives } from '../../src/scheduler/scheduler.ts'
import { slurm } from '../../src/scheduler/slurm.ts'

const hostile = [
  'two words',
  "it's",
  'say "x"',
  'back\\slash\\',
  '$(id) `id` ${HOME}',
  '#hash #SBATCH --wrap',
  '"\'`\\#',
  'ünïcode ☃ 😀',
  '  spaces  ',
  '--flag',
  ':x=%j%%',
  '; & | < > ! * ? [a] {b} ~',
]

describe.each(['accounting', 'plain'] as const)('Slurm, %s', (kind) => {
  const { sshd, slurm: cluster } = inject('slurms')[kind]

  /** Over ssh, as the plain user. */
  async function run(command: Command, environment = ''): Promise<CommandResult> {
    const args = [...sshd.sshArgs, `${sshd.user}@${sshd.host}`, `${environment} ${shellJoin(command.argv)}`]
    try {
      const { stdout, stderr } = await promisify(execFile)('ssh', args)
      return { exitCode: 0, stdout: Buffer.from(stdout), stderr }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { exitCode: code, stdout: Buffer.from(stdout), stderr }
    }
  }
  const words = async (...argv: string[]) => Buffer.from((await run({ argv })).stdout).toString()

  let jobs = 0
  async function submit(body: string, asked: Directives = {}, environment = ''): Promise<string> {
    const all = { name: 'test', memoryBytes: 20e6, log: join(cluster.home, 'job.log'), ...asked }
    const file = join(cluster.home, `job.${kind}.${jobs++}.sh`)
    writeFileSync(file, `#!/bin/sh\n${renderDirectives(slurm, all).join('\n')}\n${body}\n`, { mode: 0o644 })
    return slurm.parseSubmit(await run(slurm.submit(file, all), environment))
  }
  const query = async (id: string) => slurm.parseQuery(await run(slurm.query([id]))).get(id)
  /** What accounting says, or slurmctld where there is none. */
  async function ended(id: string) {
    const history = slurm.parseHistory!(await run(slurm.history!([id])))
    if (kind === 'plain') expect(history).toBeUndefined()
    return (history ?? slurm.parseRecent!(await run(slurm.recent!([id])))).get(id)
  }
  const slow = { timeout: 60_000, interval: 200 }

  test('a name arrives as itself, by #SBATCH line and by argument', async () => {
    const file = (index: number) => join(cluster.home, `name.${index}.sh`)
    for (const [index, name] of hostile.entries()) {
      const lines = renderDirectives(slurm, { name, native: ['--hold'] })
      writeFileSync(file(index), `#!/bin/sh\n${lines.join('\n')}\n`, { mode: 0o644 })
    }
    const files = hostile.map((_, index) => file(index))
    const loop = 'for file; do sbatch --parsable "$file" || exit; done'
    const byLine = (await words('sh', '-c', loop, 'sh', ...files)).trim().split('\n')
    const byArgument: string[] = []
    for (const [index, name] of hostile.entries())
      byArgument.push(slurm.parseSubmit(await run(slurm.submit(file(index), { name, native: ['--hold'] }))))
    for (const ids of [byLine, byArgument]) {
      const names = await words('squeue', '-h', '-j', ids.join(','), '-S', 'i', '-O', 'Name:0')
      expect(names.split('\n').slice(0, -1)).toEqual(hostile)
      expect((await run(slurm.cancel(ids))).exitCode).toBe(0)
    }
  })

  test('a log is written where it was asked, % and \\ in its path too', async () => {
    for (const path of ['a%j %% b.log', 'back\\slash %j.log'].map((name) => join(cluster.home, name))) {
      await submit('echo done', { log: path })
      await expect.poll(() => words('cat', path), slow).toBe('done\n')
    }
  })

  test('a job submitted from within a job gets nothing of that one, nor NODE_OPTIONS', async () => {
    const log = join(cluster.home, 'clean.log')
    const id = await submit(
      'env | grep -E "^(SLURM_ARRAY|SLURM_RESTART|NODE_OPTIONS)" | sort; echo end',
      { log },
      'SLURM_ARRAY_TASK_ID=7 SLURM_RESTART_COUNT=3 NODE_OPTIONS=--inspect SBATCH_ARRAY_INX=0-3 SBATCH_WAIT=1',
    )
    await expect.poll(() => words('cat', log), slow).toBe('end\n')
    expect((await ended(id))?.members).toBeUndefined()
  })

  test('what is asked wins over SBATCH_ variables', async () => {
    const asked = { partition: 'long', timeSeconds: 120, native: ['--hold'] }
    const id = await submit('true', asked, 'SBATCH_PARTITION=short SBATCH_TIMELIMIT=1 SQUEUE_STATES=RUNNING')
    expect(await words('squeue', '-h', '-j', id, '-o', '%P %l')).toBe('long 2:00\n')
    expect((await query(id))?.status).toMatchObject({ state: 'QUEUED', reason: 'held' })
    await run(slurm.cancel([id]))
  })

  test('an array is seen member by member, and members are canceled alone', async () => {
    const id = await submit('[ $SLURM_ARRAY_TASK_ID = 0 ] && exit 3; sleep 300', {
      array: { size: 5, concurrency: 3 },
    })
    // The first may still be completing when the next one runs.
    const states = async () =>
      [...((await query(id))?.members ?? [])].map(([k, { state }]) => `${k} ${state}`).sort()
    await expect.poll(states, slow).toEqual(['1 ACTIVE', '2 ACTIVE', '3 ACTIVE', '4 QUEUED'])
    await run(slurm.cancel([slurm.array!.taskId(id, 1)]))
    await expect.poll(async () => (await query(id))?.members?.has(1), slow).toBe(false)
    await run(slurm.cancel([id]))
    await expect.poll(() => query(id), slow).toBeUndefined()
    await expect.poll(async () => (await ended(id))?.members?.size, slow).toBe(5)
    const { members } = (await ended(id))!
    expect(members!.get(0)).toMatchObject({ state: 'FAILED', reason: 'exit-code', exitCode: 3 })
    // Without accounting Slurm tells nobody who it was.
    expect(members!.get(1)?.state).toBe('CANCELED')
    expect(members!.get(1)?.reason).toBe(kind === 'accounting' ? 'by-user' : undefined)
  })

  test('canceling what is gone is no error; a partition that is not there is refused', async () => {
    expect((await run(slurm.cancel(['4000000', '4000001']))).exitCode).toBe(0)
    await expect(submit('true', { partition: 'nope' })).rejects.toMatchObject({
      code: 'SUBMIT_REFUSED',
      hint: expect.stringContaining('sinfo'),
    })
  })

  test('detect finds it', async () => {
    expect((await run(slurm.detect())).exitCode).toBe(0)
    expect(readFileSync(cluster.confFile, 'utf8')).toContain('PartitionName')
  })
})
