import {
  attach,
  cluster,
  type Job,
  type JobArray,
  type JobStream,
  type Remote,
  type RemoteStream,
} from 'farcall'
import { is } from './equal.ts'

const sum = cluster({ cores: 2 }, (a: number, label: string) => ({ total: a, label }))
const later = cluster(async (n: number) => [n])
const none = cluster(() => {})
const ranks = cluster({ tasksPerNode: 4, gather: 'all' }, async (n: number) => n > 1)
const optional = cluster((n: number, step = 1, ...rest: readonly string[]) => n + step + rest.length)

type Total = { total: number; label: string }

// a call
is<Remote<[a: number, label: string], Total>>()(sum)
is<Job<Total>>()(sum(1, 'x'))
is<Total>()(await sum(1, 'x'))
is<number[]>()(await later(1))
is<void>()(await none())
is<number>()(await optional(1, 2, 'a', 'b'))
const plain: (a: number, label: string) => Promise<Total> = sum
void plain
// @ts-expect-error an argument is missing
sum(1)
// @ts-expect-error a wrong argument
later('1')

// of each rank
is<Remote<[n: number], boolean[]>>()(ranks)
is<boolean[]>()(await ranks(1))
is<boolean[][]>()(await ranks.map([1]))
is<Remote<[n: number], boolean[]>>()(ranks.with({ tasksPerNode: 2 }))
// @ts-expect-error it would be another function
ranks.with({ gather: 'all' })
// @ts-expect-error there is no other word for it
cluster({ gather: 'some' }, () => 1)
// @ts-expect-error a marked method gives what it is declared to give
cluster({ gather: 'all' })

// map and starmap
is<JobArray<number[]>>()(later.map([1, 2]))
is<number[][]>()(await later.map(new Set([1])))
is<Total[]>()(await sum.starmap([[1, 'a']]))
is<PromiseSettledResult<number[]>[]>()(await later.map([1]).settled())
async function* inputs() {
  yield 1
}
is<JobArray<number[]>>()(later.map(inputs(), { chunk: 'auto', concurrency: 2 }))
for await (const { index, value } of later.map([1])) {
  is<number>()(index)
  is<number[]>()(value)
}
// @ts-expect-error not what the function takes
later.map(['1'])
// @ts-expect-error not a list of arguments
sum.starmap([[1]])
// @ts-expect-error not an option of map
later.map([1], { memory: '1GB' })

// with, local, script
is<Remote<[n: number], number[]>>()(later.with({ memory: '1GB' }))
is<number[] | Promise<number[]>>()(later.local(1))
is<string>()(await sum.script(1, 'x'))
// @ts-expect-error a typo
later.with({ memroy: '1GB' })

// streams
const stream = cluster({ cores: 2, window: { items: 10, memory: '1MB' } }, async function* (n: number) {
  yield { n }
  return 'done'
})
const counting = cluster(function* (to: number): Generator<Promise<number>, boolean> {
  yield Promise.resolve(to)
  return true
})
is<RemoteStream<[n: number], { n: number }, string>>()(stream)
is<RemoteStream<[to: number], number, boolean>>()(counting)
is<JobStream<{ n: number }, string>>()(stream(1))
for await (const { n } of stream(1)) is<number>()(n)
const streaming = stream(1)
is<Promise<string>>()(streaming.result)
is<string>()(streaming.id)
is<IteratorResult<{ n: number }, string>>()(await streaming.next())
is<RemoteStream<[n: number], { n: number }, string>>()(stream.with({ cores: 1 }))
for await (const n of counting.local(2)) is<number>()(n)
is<JobStream<number, string>>()(attach<number, string>('fabcdefghijklm', { stream: true }))
is<RemoteStream<[], number, unknown>>()(
  cluster(async function* (): AsyncIterable<number> {
    yield 1
  }),
)
// it is no promise: an await gives the stream itself
is<JobStream<{ n: number }, string>>()(await stream(1))
// what only looks like a stream, or may be anything
is<Remote<[], number[]>>()(cluster(() => [1]))
// biome-ignore lint/suspicious/noExplicitAny: that is the point
is<Remote<[text: string], any>>()(cluster((text: string) => JSON.parse(text)))
is<Remote<[], never>>()(
  cluster(() => {
    throw new Error('always')
  }),
)
// @ts-expect-error streams are not mapped
stream.map([1])
// @ts-expect-error a wrong argument
stream('1')
// @ts-expect-error nothing can be sent into a function that runs elsewhere
streaming.next(1)
// @ts-expect-error a typo
stream.with({ window: { item: 1 } })

// handles
const job = later(1)
is<string>()(job.id)
is<string | undefined>()(job.nativeId)
is<Promise<number>>()(job.then(([n]) => n ?? 0))
for await (const line of job.logs({ follow: true, stream: 'stderr' })) is<string>()(line)
for await (const { state } of job.updates())
  is<'NEW' | 'QUEUED' | 'ACTIVE' | 'COMPLETED' | 'FAILED' | 'CANCELED'>()(state)
{
  await using closed = later(2)
  void closed
}
is<Job<number>>()(attach<number>('fabcdefghijklm'))
is<Job<unknown>>()(attach('fabcdefghijklm', { profile: 'hpc' }))

// parameters
const generic = cluster(<T>(value: T) => [value])
is<unknown[]>()(await generic('a'))
// @ts-expect-error a parameter without a type is not silently any
cluster((n) => n)
// @ts-expect-error a class cannot be called
cluster(class {})(1)

// jobs as arguments: their values, also inside arrays and objects; a map stands for an array
const halve = cluster((n: number) => n / 2)
const mean = cluster(
  (values: readonly number[], given?: { weights: number[]; offset: number }) =>
    values.length + (given?.offset ?? 0),
)
is<Job<number>>()(halve(halve(8)))
is<Job<number>>()(mean(halve.map([1, 2])))
is<Job<number>>()(mean([halve(1), 2], { weights: halve.map([1]), offset: halve(2) }))
is<Job<number>>()(mean(later(1)))
is<JobArray<number>>()(halve.map(halve.map([1, 2])))
is<JobArray<number>>()(halve.map([halve(1), 2]))
is<JobArray<Total>>()(sum.starmap([[halve(1), 'a']]))
is<[n: number]>()({} as unknown as Parameters<typeof halve>)
is<string>()(await halve.script(halve(1)))
// @ts-expect-error its value is not what the function takes
halve(sum(1, 'x'))
// @ts-expect-error a map is an array
halve(halve.map([1]))
// @ts-expect-error a promise that is no job cannot travel
halve(Promise.resolve(1))
// @ts-expect-error not the items that the function takes
halve.map(sum.starmap([[1, 'a']]))
// @ts-expect-error nested, too
mean([1], { weights: [sum(1, 'x')], offset: 1 })
