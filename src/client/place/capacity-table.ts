import type { Amount, PartitionCapacity } from '../../core/capacity.ts'
import { type Column, inColumns } from '../../core/columns.ts'

/** What is not told is '-'. */
const count = (value: number | undefined) => (value === undefined ? '-' : String(value))
const ofAll = (amount: Amount | undefined) => (amount ? `${shown(amount.free)}/${shown(amount.total)}` : '-')
const shown = (value: number) => String(Math.round(value * 10) / 10)

/** '7.2/15.6 GB': in the unit of all of it. */
function memory(amount: Amount | undefined): string {
  if (!amount) return '-'
  const power = Math.max(2, Math.min(5, Math.floor(Math.log2(Math.max(1, amount.total)) / 10)))
  const unit = ['MB', 'GB', 'TB', 'PB'][power - 2]
  return `${shown(amount.free / 1024 ** power)}/${shown(amount.total / 1024 ** power)} ${unit}`
}

const columns: readonly Column<PartitionCapacity>[] = [
  {
    head: 'PARTITION',
    text: ({ name, isDefault, up }) => `${name}${isDefault ? '*' : ''}${up ? '' : ' (closed)'}`,
    least: 9,
  },
  { head: 'NODES', text: ({ nodes }) => count(nodes?.total), right: true },
  { head: 'IDLE', text: ({ nodes }) => count(nodes?.idle), right: true },
  { head: 'DOWN', text: ({ nodes }) => count(nodes?.down), right: true },
  { head: 'DRAINED', text: ({ nodes }) => count(nodes?.drained), right: true },
  { head: 'CORES', text: ({ cores }) => ofAll(cores), right: true },
  { head: 'MEMORY', text: ({ memory: amount }) => memory(amount), right: true },
  { head: 'GPUS', text: ({ gpus }) => ofAll(gpus), right: true },
]

const kinds: Column<PartitionCapacity> = {
  head: 'KINDS',
  text: ({ gpus }) =>
    Object.entries(gpus?.kinds ?? {})
      .map(([kind, amount]) => `${kind} ${ofAll(amount)}`)
      .join(', '),
  least: 5,
}

/** A line for each partition; of cores, memory and GPUs what is free, of all. */
export function capacityTable(partitions: readonly PartitionCapacity[], width?: number): string {
  const hasKinds = partitions.some(({ gpus }) => Object.keys(gpus?.kinds ?? {}).length > 0)
  return inColumns(partitions, hasKinds ? [...columns, kinds] : columns, width)
}
