import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, inject, test } from 'vitest'
import { startCluster } from './cluster.ts'
import { isAlive, processesWhere, run } from './processes.ts'

describe.each([{ accounting: true }, { accounting: false }])(
  'Slurm, accounting: $accounting',
  ({ accounting }) => {
    const cluster = inject('slurms')[accounting ? 'accounting' : 'plain']

    const remote = async (command: string): Promise<string> => {
      const { sshd } = cluster
      return (await run('ssh', [...sshd.sshArgs, `${sshd.user}@${sshd.host}`, command])).stdout.trim()
    }
    const submit = (script: string, options = '') =>
      remote(`cat >job.sh <<'END'\n#!/bin/bash\n${script}\nEND\nsbatch --parsable ${options} job.sh`)
    /** STATE of each task, by accounting or, without it, by slurmctld's memory. */
    const states = async (id: string): Promise<string[]> => {
      const told = accounting
        ? await remote(`sacct -X -n -P -o State -j ${id}`)
        : await remote(`scontrol show job ${id} | sed -n 's/.*JobState=\\([A-Z_]*\\).*/\\1/p'`)
      return told.split('\n')
    }
    const ends = (id: string, state: string | RegExp, tasks = 1) =>
      expect
        .poll(() => states(id), { timeout: 60_000, interval: 200 })
        .toEqual(Array.from({ length: tasks }, () => expect.stringMatching(state)))

    test('a job of the plain user completes, and finds node and the variables of the session', async () => {
      const id = await submit(
        'node -p "process.version + \\" \\" + process.argv[1]" hello >out\nid -un >>out\npwd >>out',
        '-o log',
      )
      await ends(id, 'COMPLETED')
      const { user, home } = cluster.slurm
      expect((await remote('cat out')).split('\n')).toEqual([`${process.version} hello`, user, home])
    })

    test('login shells reach Slurm too', async () => {
      expect(await remote('bash -lc "sinfo --version; command -v node"')).toMatch(/^slurm.* 22[.]05/)
    })

    test('a job array runs each of its tasks', async () => {
      const id = await submit(
        'echo $((SLURM_ARRAY_TASK_ID * 2)) >task.$SLURM_ARRAY_TASK_ID',
        '--array=0-7 -o /dev/null',
      )
      await ends(id, 'COMPLETED', 8)
      expect(await remote('cat task.*')).toBe('0\n2\n4\n6\n8\n10\n12\n14')
      expect(await remote("scontrol show config | awk '/MaxArraySize/ {print $3}'")).toBe('10001')
    })

    test('GPUs are given and named to the job', async () => {
      const id = await submit('echo "$CUDA_VISIBLE_DEVICES" >gpus', '--gres=gpu:a100:2 -o /dev/null')
      await ends(id, 'COMPLETED')
      expect(await remote('cat gpus')).toBe('0,1')
    })

    test('both partitions run jobs, and a job of `short` preempts one of `long`, which is requeued', async () => {
      const whole = '--exclusive -N4 -o /dev/null'
      const long = await submit('[ -e ran ] && exit 0; touch ran; sleep 100', `-p long --requeue ${whole}`)
      await expect.poll(() => remote('ls'), { timeout: 20_000 }).toContain('ran')
      const short = await submit('exit 0', whole)
      await ends(short, 'COMPLETED')
      expect(await remote(`scontrol show job ${long}`)).toContain('Restarts=1')
      await ends(long, 'COMPLETED')
    })

    test('failure, cancellation and memory limit end in states of their own', async () => {
      const failed = await submit('exit 3', '-o /dev/null')
      const canceled = await submit('sleep 100', '-o /dev/null')
      const hungry = await submit(
        `node -e 'const all = []; setInterval(() => all.push(Buffer.alloc(2e7, 1)), 20)'`,
        '--mem=150M -o /dev/null',
      )
      await remote(`scancel ${canceled}`)
      await ends(failed, 'FAILED')
      await ends(canceled, /^CANCELLED/)
      // without cgroups slurmd still ends it, but has another word for it
      await ends(hungry, cluster.slurm.memoryLimit === 'cgroup' ? 'OUT_OF_MEMORY' : 'FAILED')
    })

    test('sacct says whether there is accounting', async () => {
      if (accounting) expect(await remote('sacct -n -X')).toContain('COMPLETED')
      else await expect(remote('sacct -n -X')).rejects.toThrow(/disabled/)
    })

    test('root submits on this machine by the environment alone', async () => {
      const env = { ...cluster.slurm.env }
      const { stdout } = await run('sbatch', ['--parsable', '-o', '/dev/null', '--wrap', 'node --version'], {
        env,
        cwd: '/',
      })
      await ends(stdout.trim(), 'COMPLETED')
    })

    test('after stop no process, folder, cgroup or account is left, even with a job running', async () => {
      const other = await startCluster({ accounting })
      const { slurm, sshd } = other
      const command = "sbatch --parsable -o log --wrap 'touch started; sleep 1000'"
      await run('ssh', [...sshd.sshArgs, `${sshd.user}@${sshd.host}`, command])
      await expect.poll(() => existsSync(`${slurm.home}/started`), { timeout: 20_000 }).toBe(true)
      const uses = () => processesWhere((_, variables) => variables.includes(`SLURM_CONF=${slurm.confFile}`))
      expect(uses().length).toBeGreaterThan(7)
      const pids = [...uses(), ...slurm.pids(), sshd.pid]
      await other.stop()
      expect(pids.filter(isAlive)).toEqual([])
      expect(uses()).toEqual([])
      expect([slurm.folder, slurm.home].filter((folder) => existsSync(folder))).toEqual([])
      if (slurm.memoryLimit === 'cgroup') {
        expect(readdirSync('/sys/fs/cgroup/memory').filter((name) => name.includes(slurm.nodes[0]!))).toEqual(
          [],
        )
      }
      if (process.getuid?.() === 0) await expect(run('id', [slurm.user])).rejects.toThrow(/no such user/)
    })
  },
)
