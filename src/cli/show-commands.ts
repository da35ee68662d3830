import { shellQuote } from '../core/shell.ts'
import { wrapTransports } from '../executor/open.ts'
import type { Transport } from '../transport/transport.ts'

/** From now on each command and file that goes to a place is told on stderr, with how long it took (--verbose). */
export function showCommands(write = (line: string) => void process.stderr.write(`${line}\n`)): void {
  wrapTransports((transport) => told(transport, write))
}

/** What stands for a script of ours that is longer: its words say which one it is. */
const longest = 60

function told(transport: Transport, write: (line: string) => void): Transport {
  const tell = async <T>(words: string, work: Promise<T>, end: (result: T) => string): Promise<T> => {
    const begun = performance.now()
    const took = () => `${Math.round(performance.now() - begun)} ms`
    const line = `${transport.name}: ${words}`
    try {
      const result = await work
      write(`${line}  (${took()}${end(result)})`)
      return result
    } catch (error) {
      write(`${line}  (${took()}, failed)`)
      throw error
    }
  }
  const shown: Pick<Transport, 'exec' | 'put' | 'get'> = {
    exec: (command, options) =>
      tell(commandText(command.argv), transport.exec(command, options), ({ exitCode }) =>
        exitCode === 0 ? '' : `, exit code ${exitCode}`,
      ),
    put: (files) => tell(`put ${files.map(({ path }) => path).join(' ')}`, transport.put(files), () => ''),
    get: (path, range) =>
      tell(`get ${path}`, transport.get(path, range), (bytes) =>
        bytes ? `, ${bytes.byteLength} bytes` : ', not there',
      ),
  }
  return new Proxy(transport, {
    get(target, key) {
      if (key in shown) return Reflect.get(shown, key)
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A line as one would type it; of a long script its beginning. */
export function commandText(argv: readonly string[]): string {
  return argv
    .map((word) => {
      const [first = ''] = word.split('\n')
      const isLong = word.length > longest && (word.includes('\n') || word.length > 4 * longest)
      return isLong ? `'${first.slice(0, longest - 1)}…'` : shellQuote(word)
    })
    .join(' ')
}
