import { cluster, type JobStream, type RemoteStream, remote } from 'farcall'
import { is } from './equal.ts'

// Compiled with and without experimentalDecorators: both dialects are to say the same.

class Study {
  readonly scale = 2
  #offset = 1

  @cluster({ cores: 8, memory: '16GB', time: '2h' })
  static async one(n: number): Promise<number> {
    return n
  }

  @cluster({ cores: 8 })
  async two(n: number, label = 'x', ...rest: string[]) {
    return { n: n * this.scale + this.#offset, label, rest }
  }

  @cluster()
  async none() {}

  @cluster()
  async generic<T>(value: T): Promise<[T, number]> {
    return [value, this.scale]
  }

  @cluster()
  promised(n: number): Promise<string> {
    return Promise.resolve(String(n))
  }

  @cluster()
  async alone(this: void, n: number) {
    return n
  }

  // @ts-expect-error it is declared to give a number, and would give a promise
  @cluster({ cores: 8 })
  static synchronous(n: number): number {
    return n
  }

  // @ts-expect-error the same for one that belongs to an instance
  @cluster()
  synchronous(n: number) {
    return n * this.scale
  }

  @cluster()
  async *stream(n: number) {
    yield n * this.scale
    return 'done'
  }

  @cluster()
  static async *declared(n: number): AsyncGenerator<number, string, void> {
    yield n
    return 'done'
  }

  // @ts-expect-error it is declared to give a Generator, and would give an AsyncGenerator: declare it `async *`
  @cluster()
  *generator() {
    yield 1
  }

  // @ts-expect-error nothing can be sent into a function that runs elsewhere
  @cluster()
  async *talks(): AsyncGenerator<number, void, string> {
    const sent = yield 1
    sent.trim()
  }

  // @ts-expect-error a field is no method
  @cluster()
  field = 1

  // @ts-expect-error nor is a getter
  @cluster()
  get getter() {
    return 1
  }

  // @ts-expect-error a typo in an option
  @cluster({ core: 8 })
  async typo() {}
}

const study = new Study()
is<(n: number) => Promise<number>>()(Study.one)
is<Promise<number>>()(Study.one(1))
is<Promise<{ n: number; label: string; rest: string[] }>>()(study.two(1, 'y', 'z'))
is<void>()(await study.none())
is<[string, number]>()(await study.generic('a' as string))
is<string>()(await study.promised(1))
is<number>()(await study.alone(1))
is<AsyncGenerator<number, string, unknown>>()(study.stream(1))
is<AsyncGenerator<number, string, void>>()(Study.declared(1))
is<RemoteStream<[n: number], number, string>>()(remote(Study.declared))
is<RemoteStream<[n: number], number, string>>()(remote(study, 'stream'))
is<JobStream<number, string>>()(remote(study, 'stream')(1))
// @ts-expect-error a wrong argument
Study.one('1')
// @ts-expect-error an argument is missing
study.two()
