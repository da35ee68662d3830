// npm run bench [suite…]: measures against floors taken in the same run; a table here, JSON in bench/results/.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import Table from 'cli-table3'
import { capture } from './capture.ts'
import { cli } from './cli.ts'
import { codec } from './codec.ts'
import { files } from './files.ts'
import { local } from './local.ts'
import { map } from './map.ts'
import type { Row } from './measure.ts'
import { node } from './node.ts'
import { outstanding } from './outstanding.ts'
import { packages } from './packages.ts'
import { planner } from './planner.ts'
import { scale } from './scale.ts'
import { slurm } from './slurm.ts'
import { ssh } from './ssh.ts'
import { store } from './store.ts'
import { stream } from './stream.ts'

const suites: Record<string, () => Promise<Row[]>> = {
  local,
  map,
  packages,
  ssh,
  node,
  slurm,
  planner,
  scale,
  outstanding,
  codec,
  capture,
  store,
  cli,
  files,
  stream,
}
const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in suites))
if (unknown.length > 0) {
  console.error(`no suite ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`)
  process.exit(2)
}

const rows: Row[] = []
for (const name of asked.length > 0 ? asked : Object.keys(suites)) {
  console.error(`${name} …`)
  rows.push(...(await suites[name]!()))
}

const number = (value: number) =>
  Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1)
const table = new Table({
  head: ['suite', 'what', 'measured', 'floor', 'ratio', 'promise', ''],
  style: { head: [], border: [] },
})
for (const row of rows)
  table.push([
    row.suite,
    row.what,
    `${number(row.value)} ${row.unit}`.trim(),
    row.floor === undefined ? '' : `${number(row.floor)} ${row.unit} (${row.floorName})`,
    row.floor === undefined ? '' : number(row.value / row.floor),
    row.promise ?? '',
    row.kept === undefined ? '' : row.kept ? 'kept' : 'MISSED',
  ])
console.log(table.toString())

const machine = {
  node: process.version,
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memory: totalmem(),
  release: release(),
}
mkdirSync('bench/results', { recursive: true })
const file = `bench/results/${new Date().toISOString().replaceAll(':', '-')}.json`
writeFileSync(file, JSON.stringify({ machine, rows }, null, 2))
console.error(`written to ${file}`)
