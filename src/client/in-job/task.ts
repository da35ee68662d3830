import { AsyncLocalStorage } from 'node:async_hooks'
import { FarcallError } from '../../core/errors.ts'
import { grantedCores, grantedGpus, grantedMemory } from '../../core/granted.ts'
import { thisMachine } from '../../core/machine.ts'
import { makeTask, readProgress, type Task, type TaskFacts } from '../../core/task.ts'

const local = new AsyncLocalStorage<{ task: Task; facts: TaskFacts; calls: number }>()

/**
 * What the function knows of the job that it runs in: its id and item, cores, memory and GPUs granted, random numbers of
 * its own, and a way to say how far it is. Under `.local()` it is a task with the id `local`, this machine's cores, and
 * a progress that nobody hears.
 *
 * @throws FarcallError NOT_IN_JOB outside of a job
 * @example
 * import { cluster, currentTask } from 'farcall'
 *
 * const estimate = cluster({ cores: 2 }, (samples: number) => {
 *   const task = currentTask()
 *   let inside = 0
 *   for (let i = 0; i < samples; i++) {
 *     if (task.random() ** 2 + task.random() ** 2 < 1) inside++
 *     if (i % 1000 === 0) task.progress(i, samples)
 *   }
 *   return (4 * inside) / samples
 * })
 * const jobs = estimate.map([10_000, 20_000])
 * console.log(await jobs)
 */
export function currentTask(): Task {
  const store = local.getStore()
  if (store) return store.task
  throw new FarcallError('NOT_IN_JOB', 'currentTask() was called outside of a job', {
    hint: 'call it in a function that runs as a job, or try that function by .local()',
  })
}

/**
 * Tells the client how far the function is, as `currentTask().progress` does: a fraction from 0 to 1, or how many of how
 * many. It arrives as `job.progress` and in `job.updates()`. Outside of a job it does nothing.
 *
 * @throws TypeError for what is no number
 * @example
 * import { cluster, progress } from 'farcall'
 *
 * const sum = cluster((steps: number) => {
 *   let total = 0
 *   for (let step = 0; step < steps; step++) {
 *     total += Math.sqrt(step)
 *     if (step % 1000 === 0) progress(step, steps, 'adding')
 *   }
 *   return total
 * })
 * console.log(await sum(10_000))
 */
export function progress(fraction: number, message?: string): void
export function progress(done: number, total: number, message?: string): void
export function progress(...args: unknown[]): void {
  readProgress(args, Date.now())
}

/** Runs work as the task of a `.local()` call. @internal */
export function asLocalTask<T>(work: () => T): T {
  return local.run(newLocalTask(), work)
}

/** The same of a generator, whose work is done later, as it is asked. @internal */
export function asLocalGenerator(work: () => Generator | AsyncGenerator): Generator | AsyncGenerator {
  const task = newLocalTask()
  const generator = local.run(task, work)
  for (const name of ['next', 'return', 'throw'] as const) {
    const method = generator[name]
    const value = (...args: unknown[]) => local.run(task, () => Reflect.apply(method, generator, args))
    Object.defineProperty(generator, name, { value, configurable: true, writable: true })
  }
  return generator
}

function newLocalTask() {
  const machine = thisMachine()
  const facts = {
    id: 'local',
    index: 0,
    item: 0,
    items: 1,
    attempt: 1,
    rank: 0,
    size: 1,
    localRank: 0,
    cores: grantedCores(undefined, machine),
    memory: grantedMemory(undefined, machine),
    gpus: grantedGpus(machine),
  }
  return { task: makeTask(facts, () => {}), facts, calls: 0 }
}

/** The task of the `.local()` call around, if there is one, and how often it has called localMap. @internal */
export function localTask(): { facts: TaskFacts | undefined; call: number } {
  const store = local.getStore()
  return { facts: store?.facts, call: store ? store.calls++ : 0 }
}
