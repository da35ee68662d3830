import process from 'node:process'

export const isDeno: boolean = 'deno' in process.versions

/**
 * Whether this is Deno's REPL or its Jupyter kernel: they evaluate what is typed through the inspector, and Deno ends
 * ("RefCell already borrowed", libs/core/inspector.rs) when it is used within that turn.
 */
export const evaluatesCells: boolean = isDeno && /\$deno\$(repl|jupyter\w*)\.mts$/.test(process.argv[1] ?? '')

/** Resolves in a turn of the event loop that evaluates no cell: the inspector may be used there, without an await before. */
export const betweenCells = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

export const inspectorHint: string =
  'run with --allow-sys: Deno asks for it whole, its inspector has no name of its own'

/**
 * Deno's inspector does what it is told at once, but its Session keeps the answer for process.nextTick
 * (ext/node/polyfills/inspector.js). That one call is made here instead, before `send` returns: variables are then read
 * before they can change. No code of the program's runs in between.
 */
export function answeredAtOnce(send: () => void): void {
  const { nextTick } = process
  const kept: (() => void)[] = []
  process.nextTick = (callback: Function, ...args: unknown[]) => {
    kept.push(() => Reflect.apply(callback, undefined, args))
  }
  try {
    send()
  } finally {
    process.nextTick = nextTick
  }
  for (const callback of kept) callback()
}
