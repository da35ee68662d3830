/**
 * GPUs by kind, '' where there is none, of what Slurm writes of generic resources: 'gpu:a100:2(S:0-1)',
 * 'gpu:a100:1(IDX:0,2),gpu:v100:0(IDX:N/A)', 'gpu:4', '(null)'; and of trackable ones: 'cpu=2,gres/gpu:a100=1,gres/gpu=1'.
 * https://slurm.schedmd.com/gres.html
 */
export function gpusIn(text: string): Map<string, number> {
  const kinds = new Map<string, number>()
  // Which sockets or devices they are is in parentheses, where commas stand as well.
  for (const part of text.replaceAll(/\([^()]*\)/g, '').split(',')) {
    const match = /^(?:gres[/:])?gpu(?:[:/]([^:=]+))?[:=](\d+)$/.exec(part.trim())
    if (match) kinds.set(match[1] ?? '', (kinds.get(match[1] ?? '') ?? 0) + Number(match[2]))
  }
  return kinds
}

/** All of them: of trackable resources the sum stands beside the kinds. Undefined: there is no word of GPUs. */
export function gpuCount(text: string): number | undefined {
  const kinds = gpusIn(text)
  if (kinds.size === 0) return undefined
  return kinds.get('') ?? [...kinds.values()].reduce((sum, count) => sum + count, 0)
}
