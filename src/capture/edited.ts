import { statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { sourceContentFor, TraceMap } from '@jridgewell/trace-mapping'
import { CaptureError } from '../core/errors.ts'
import { isDeno } from './deno.ts'
import { allScripts } from './inspect.ts'
import { bundledText } from './renamed.ts'
import { runnerPosition } from './runner-map.ts'

/** File systems keep times in steps, and clocks of file servers differ. */
const tolerance = 2000

/** Whether the file may have changed since this program read it: nothing is asked of the engine otherwise. */
export function changedSinceStart(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats !== undefined && stats.mtimeMs > performance.timeOrigin - tolerance
}

const checked = new Map<string, string>()

/**
 * The text that runs, for a file that changed after the program started; undefined: it is what lies on disk.
 *
 * @throws CaptureError CAPTURE_REFUSED when it changed, and what runs is not known
 */
export function runningText(path: string, onDisk: string): string | undefined {
  if (checked.get(path) === onDisk) return undefined
  const running = bundledText(path) ?? engineText(path)
  if (running === undefined || running === onDisk) {
    // not loaded yet, or the same
    checked.set(path, onDisk)
    return undefined
  }
  if (running !== null) return running
  // Saved and then run, as `tsx watch` does: within the tolerance, but before the start.
  if ((statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= performance.timeOrigin) return undefined
  throw new CaptureError('CAPTURE_REFUSED', `${path} changed after the program started`, {
    hint: 'start the program again; with the sources in its source maps (sourcesContent) it goes on as it was',
  })
}

/** undefined: no script was made of it; null: one was, but its map does not hold the text. */
function engineText(path: string): string | null | undefined {
  let found: string | null | undefined
  for (const script of allScripts()) {
    const at = pathOf(script.url)
    if (at === undefined || at.includes('/node_modules/')) continue
    const map = mapOf(script.sourceMapURL, at)
    const index = map?.resolvedSources.findIndex((s) => s && (pathOf(s) ?? resolve(dirname(at), s)) === path)
    if (map && index !== undefined && index >= 0) found = sourceContentFor(map, map.sources[index]!) ?? null
    // TypeScript that a loader compiled runs as another text
    else if (at === path)
      found =
        /\.[mc]?tsx?$/.test(path) && (isDeno || script.sourceMapURL !== '' || isMapped(at, script.source()))
          ? null
          : script.source()
  }
  return found
}

/** Compiled too, by a runner that keeps the map to itself. */
const isMapped = (path: string, source: string) =>
  source.split('\n').some((text, i) => runnerPosition({ path, line: i + 1, column: text.length + 1 }))

function pathOf(url: string): string | undefined {
  if (url.startsWith('file:')) return fileURLToPath(url.replace(/[?#].*$/, ''))
  return isAbsolute(url) ? url.replace(/\?.*$/, '') : undefined
}

/** Only maps that the script itself holds are those of what runs: others may have been written anew. */
function mapOf(url: string, at: string): TraceMap | undefined {
  const inline = /^data:application\/json;(?:charset=[^;,]+;)?base64,(.*)$/.exec(url)
  return inline ? new TraceMap(Buffer.from(inline[1]!, 'base64').toString(), at) : undefined
}
