import { inspect } from 'node:util'
import { Job } from '../client/job/job.ts'
import { JobArray } from '../client/job/job-array.ts'
import { dressData } from '../client/outcome/dress.ts'
import './bar.ts'
import './deno-kernel.ts'
import './patience.ts'
import { findScreen, type Shown } from './screen.ts'
import { viewOf } from './views.ts'

/** What Deno's kernel asks of the value of a cell. */
const jupyterDisplay = Symbol.for('Jupyter.display')

/**
 * Shows a job, a map, or what `usage()`, `cluster.resources()` and `cluster.queue()` gave, as it is now: in a notebook as
 * tables and pictures, elsewhere as text on stdout. Another value is shown as `console.log` does.
 *
 * @example
 * import { cluster, display } from 'farcall'
 *
 * const squares = cluster((n: number) => n * n).map([1, 2, 3])
 * await squares
 * display(squares)
 */
export function display(value: unknown): void {
  const view = viewOf(value)
  const screen = view && findScreen()
  if (screen) screen.show({ 'text/html': view.html.text, 'text/plain': view.text })
  else console.log(view ? view.text : value)
}

function shownOf(value: object): Shown {
  const view = viewOf(value)
  return view ? { 'text/html': view.html.text, 'text/plain': view.text } : { 'text/plain': inspect(value) }
}

const looks = {
  [jupyterDisplay](this: object): Shown {
    return shownOf(this)
  },
  [inspect.custom](this: object): string {
    return viewOf(this)?.text ?? Object.prototype.toString.call(this)
  },
}

/** Gives farcall's things a look: as the value of a cell, and by console.log. */
export function dress(value: object): void {
  for (const key of [jupyterDisplay, inspect.custom])
    Object.defineProperty(value, key, {
      value: looks[key as keyof typeof looks],
      configurable: true,
      writable: true,
    })
}

dress(Job.prototype)
dress(JobArray.prototype)
dressData(dress)
