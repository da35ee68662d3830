import type { FileAnalysis } from '../analysis.ts'
import { isStandardGlobal } from '../globals.ts'
import { positionsOf, settleUses } from './captures.ts'
import { openReading } from './reading.ts'
import { readStatements } from './statements.ts'
import { settleThreads } from './threads.ts'

/**
 * What a file's text says about its functions and names.
 *
 * @param isOwn whether a module specifier means farcall itself
 */
export function analyze(file: string, text: string, isOwn: (specifier: string) => boolean): FileAnalysis {
  const reading = openReading(file, text, isOwn)
  readStatements(reading)
  settleUses(reading)
  settleThreads(reading)
  const { imports, effects, exports, stars, declarations, functions, calls, metas, assets, threads } = reading
  return {
    imports,
    effects,
    exports,
    stars,
    declarations,
    positions: positionsOf(reading),
    metas,
    assets,
    threads,
    reaches: [...reading.reached],
    globals: [...reading.globals].filter((name) => !isStandardGlobal(name)),
    functions,
    calls: calls.filter((c) => c.functions.length > 0),
    commonjs: reading.commonjs && imports.length === 0 && exports.length === 0,
  }
}
