import { randomUUID } from 'node:crypto'

/** What a notebook shows: the same thing in several formats, of which it takes the richest. */
export type Shown = Readonly<Record<string, string>>

/** Where a notebook shows things. */
export interface Screen {
  show(shown: Shown): void
  /** A place that is written again, in the cell where it began, where the notebook has such. */
  place?(): (shown: Shown) => void
}

interface Tslab {
  newDisplay(): { raw(type: string, data: string): void }
}

interface DenoJupyter {
  /** Declared as a promise; Deno 2.9's kernel gives undefined, at once. */
  broadcast(type: string, content: object): Promise<void> | undefined
}

/** Nobody's dependency: only its kernel has it, and gives it to cells by this name. */
const tslab = 'tslab'

/** The notebook that this program runs in, if it does. */
export function findScreen(): Screen | undefined {
  const all = globalThis as {
    __tslab__?: { require(specifier: string): unknown }
  }
  if (all.__tslab__) return tslabScreen(all.__tslab__.require(tslab) as Tslab)
  const jupyter = denoJupyter()
  return jupyter && denoScreen(jupyter)
}

/** What Deno's kernel has; undefined elsewhere. */
export function denoJupyter(): DenoJupyter | undefined {
  const { Deno } = globalThis as { Deno?: { jupyter?: DenoJupyter } }
  try {
    // Elsewhere than in its kernel, Deno throws when it is asked for.
    return Deno?.jupyter
  } catch {
    return undefined // a script, or the REPL
  }
}

/** tslab takes one format at a time: the first. */
function tslabScreen({ newDisplay }: Tslab): Screen {
  const place = () => {
    const display = newDisplay()
    return (shown: Shown) => {
      for (const [type, data] of Object.entries(shown).slice(0, 1)) display.raw(type, data)
    }
  }
  return { place, show: (shown) => place()(shown) }
}

function denoScreen(jupyter: DenoJupyter): Screen {
  const send = async (type: string, shown: Shown, transient: object) => {
    try {
      await jupyter.broadcast(type, { data: shown, metadata: {}, transient })
    } catch (error) {
      process.emitWarning(`farcall: nothing could be shown: ${String(error)}`)
    }
  }
  const place = () => {
    const display_id = randomUUID()
    let type = 'display_data'
    return (shown: Shown) => {
      void send(type, shown, { display_id })
      type = 'update_display_data'
    }
  }
  return { place, show: (shown) => void send('display_data', shown, {}) }
}
