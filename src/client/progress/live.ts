import { createLogUpdate } from 'log-update'
import { kindOf } from './kind.ts'
import { type ProgressPlace, progressPlace } from './screen.ts'
import { liveLine, type ProgressLine, plainLine } from './text.ts'

/** What is shown of a map. */
export interface Shown {
  line(): ProgressLine
  readonly since: number
  /** When a line of it was last printed. */
  printed: number
}

/** A live line is drawn so often, and only of what takes this long. */
const frameMs = 200
const liveAfterMs = 1_500
/** Elsewhere than on a terminal, a line of what takes long. */
const plainEveryMs = 30_000
/** Each is a message to the notebook, which its file keeps the last of. */
const placeEveryMs = 500

const shown = new Set<Shown>()
let timer: NodeJS.Timeout | undefined
let live: { draw(text: string): void; end(): void } | undefined

/** In a notebook the last line stays. */
function beginPlace(one: Shown, place: ProgressPlace): () => void {
  let last = ''
  const write = () => {
    const line = one.line()
    const text = JSON.stringify(line)
    if (text !== last) place(line)
    last = text
  }
  write()
  const writing = setInterval(write, placeEveryMs).unref()
  return () => {
    clearInterval(writing)
    write()
  }
}

/** Shows a map until the function that this gives is called. */
export function show(one: Shown): () => void {
  const place = progressPlace()
  if (place) return beginPlace(one, place)
  shown.add(one)
  timer ??= setInterval(draw, frameMs).unref()
  return () => {
    shown.delete(one)
    draw()
    if (shown.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

function draw(): void {
  const now = Date.now()
  const kind = kindOf(process.env, process.stderr.isTTY === true)
  if (kind === 'plain')
    for (const one of shown) {
      if (now - one.printed < plainEveryMs) continue
      one.printed = now
      process.stderr.write(`${plainLine(one.line())}\n`)
    }
  if (kind !== 'live') return
  const long = [...shown].filter(({ since }) => now - since >= liveAfterMs)
  if (long.length === 0) {
    live?.end()
    return
  }
  const colors = !process.env['NO_COLOR']
  const columns = process.stderr.columns ?? 80
  live ??= beginLive()
  live.draw(long.map((one) => liveLine(one.line(), columns, colors)).join('\n'))
}

/** Lines at the foot of the terminal. What the program itself writes goes above them. */
function beginLive() {
  // The cursor stays as it is: there is nothing to restore, however the program ends.
  const log = createLogUpdate(process.stderr, { showCursor: true })
  let text = ''
  let own = false
  /** The program has written a part of a line, and goes on with it. */
  let isPartial = false
  const streams = [process.stdout, process.stderr].filter((stream) => stream.isTTY)
  const draw = (next: string) => {
    text = next
    if (isPartial) return
    own = true
    log(text)
    own = false
  }
  const restores = streams.map((stream) => {
    const write = stream.write
    const above = function (this: typeof stream, ...args: Parameters<typeof write>) {
      if (own) return Reflect.apply(write, stream, args)
      own = true
      log.clear()
      own = false
      const written = Reflect.apply(write, stream, args)
      isPartial = !String(args[0]).endsWith('\n')
      draw(text)
      return written
    } as typeof write
    stream.write = above
    return () => {
      if (stream.write === above) stream.write = write
    }
  })
  const end = () => {
    for (const restore of restores) restore()
    log.clear()
    process.off('exit', end)
    live = undefined
  }
  process.on('exit', end)
  return { draw, end }
}
