import type { CommandResult } from '../core/shell.ts'
import type { RunningJob } from './scheduler.ts'
import { requireAnswer, text } from './slurm-answers.ts'

/** Of whereScript: `job|node|address`, or nothing. */
export function parseWhere(result: CommandResult): RunningJob | undefined {
  requireAnswer(result, 'squeue')
  const [, nativeId, node, address] = /^(\d+)\|([^|\s]+)\|(\S*)\s*$/m.exec(text(result)) ?? []
  return nativeId && node ? { nativeId, node, address: address || node } : undefined
}
