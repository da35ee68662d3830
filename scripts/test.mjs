// npm test: runs every kind of test that this machine can run, says which it cannot and what would bring it, and ends with
// `N passed, M failed`. Arguments: kinds (unit, ssh, slurm …), file filters, vitest's own options, --require-all.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants as osConstants, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const systemFolders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Command -> Debian package, for each kind of test that needs more than Node. */
const sshCommands = { sshd: 'openssh-server', ssh: 'openssh-client', 'ssh-keygen': 'openssh-client' }
const terminalCommands = { tmux: 'tmux' }
const rsyncCommands = { rsync: 'rsync' }
const mpiCommands = { mpirun: 'openmpi-bin' }
/** Machines that have nothing but a C library. */
const rootfsCommands = { busybox: 'busybox-static', 'ld-musl-config': 'musl' }
const slurmCommands = {
  slurmctld: 'slurmctld',
  slurmd: 'slurmd',
  slurmdbd: 'slurmdbd',
  sbatch: 'slurm-client',
  munged: 'munge',
  mariadbd: 'mariadb-server',
  'mariadb-install-db': 'mariadb-server',
  modulecmd: 'environment-modules',
  podman: 'podman',
  newuidmap: 'uidmap',
}
const sgeCommands = {
  sge_qmaster: 'gridengine-master',
  sge_execd: 'gridengine-exec',
  qsub: 'gridengine-client',
  podman: 'podman',
  newuidmap: 'uidmap',
}
const kubernetesCommands = {
  etcd: 'etcd-server',
  containerd: 'containerd',
  runc: 'runc',
  ip: 'iproute2',
  iptables: 'iptables',
  conntrack: 'conntrack',
  socat: 'socat',
  busybox: 'busybox-static',
  openssl: 'openssl',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
}
const containerCommands = {
  podman: 'podman',
  dockerd: 'docker.io',
  runc: 'runc',
  newuidmap: 'uidmap',
  busybox: 'busybox-static',
  'ld-musl-config': 'musl',
}
const jupyterCommands = {
  jupyter: 'jupyter-client',
  'jupyter-nbconvert': 'jupyter-nbconvert python3-ipykernel',
}
const kinds = {
  unit: {},
  local: { commands: { ...terminalCommands, ...rsyncCommands, ...mpiCommands } },
  ssh: { commands: { ...sshCommands, ...rootfsCommands, ...rsyncCommands } },
  slurm: { commands: { ...sshCommands, ...slurmCommands }, root: true, npm: true },
  sge: { commands: { ...sshCommands, ...sgeCommands, ...mpiCommands }, root: true },
  kubernetes: { commands: kubernetesCommands, root: true },
  containers: { commands: containerCommands, root: true, npm: true },
  package: {},
  toolchains: { npm: true },
  notebooks: { commands: jupyterCommands, npm: true },
  examples: { commands: sshCommands },
}

/** Why a kind of test cannot run here, with the way out; undefined when it can. */
export function obstacle(
  { commands = {}, root: needsRoot = false, npm = false },
  has = isInstalled,
  isRoot = process.getuid?.() === 0,
  hasRegistry = reachesRegistry,
) {
  const missing = Object.keys(commands).filter((command) => !has(command))
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((command) => commands[command]))].sort()
    return `no ${missing.join(', ')} here; apt-get install -y --no-install-recommends ${packages.join(' ')}`
  }
  if (needsRoot && !isRoot) return 'not root; run the tests as root (it makes an account and starts daemons)'
  if (npm && !hasRegistry()) return 'npm cannot reach its registry; see npm config get registry'
  return undefined
}

function isInstalled(command) {
  const folders = [...(process.env.PATH ?? '').split(':'), ...systemFolders]
  // A program that is on nobody's PATH is named in full.
  return (command.startsWith('/') ? [''] : folders).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false // not in this one
    }
  })
}

let registryAnswers

/** Asked once for all kinds, and not given up for one answer that was lost. */
function reachesRegistry() {
  const asked = ['view', 'tsx', 'version', '--fetch-retries=0', '--fetch-timeout=10000']
  const answers = () => spawnSync('npm', asked, { stdio: 'ignore', timeout: 30_000 }).status === 0
  registryAnswers ??= answers() || answers() || answers()
  return registryAnswers
}

/** Counts of vitest's JSON report. A file that could not be loaded has no test to fail, and counts as one. */
export function count(report) {
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

/** The tests that failed, a line each, from vitest's JSON report: its own words on them may be far up. */
export function failures(report) {
  return report.testResults.flatMap((file) => {
    const name = relative(root, file.name)
    const failed = file.assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0 && file.status === 'failed') return [`${name}: ${firstLine(file.message)}`]
    return failed.map((test) => `${name} > ${test.fullName}: ${firstLine(test.failureMessages?.[0])}`)
  })
}

const firstLine = (text) => (text ?? '').trim().split('\n')[0].slice(0, 300)

export function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** Kinds that run side by side: the ones wait for schedulers and servers while the others compute. */
const lanes = [
  ['slurm'],
  ['sge', 'kubernetes', 'containers', 'ssh', 'package'],
  ['unit', 'local', 'toolchains', 'notebooks', 'examples'],
]

/** The kinds in groups; each group is a run of vitest of its own, and they go on at the same time. */
export function grouped(projects) {
  const groups = [...lanes, projects.filter((name) => !lanes.flat().includes(name))]
  return groups
    .map((group) => projects.filter((name) => group.includes(name)))
    .filter(({ length }) => length > 0)
}

/** Runs vitest with its words going out live; gives its exit code and its report, if it came to one. */
async function runVitest(projects, args, label) {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-report-'))
  const file = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const argv = [vitest, 'run', ...projects.map((name) => `--project=${name}`), ...reporters, ...args]
  // A root shell without a login may lack the folders of daemons and of useradd.
  const env = { ...process.env, PATH: [process.env.PATH, ...systemFolders].filter(Boolean).join(':') }
  const words = label === undefined ? 'inherit' : 'pipe'
  const child = spawn(process.execPath, argv, { cwd: root, env, stdio: ['ignore', words, words] })
  const lastLines = []
  if (label !== undefined) {
    labelLines(child.stdout, process.stdout, label, lastLines)
    labelLines(child.stderr, process.stderr, label, lastLines)
  }
  // The clusters are vitest's to stop, so wait for it. A terminal sends its Ctrl-C to both of us.
  process.on('SIGINT', () => {})
  for (const name of ['SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name))
  const exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      const end = () => resolve(code ?? 128 + osConstants.signals[signal])
      child.once('close', end)
      // What it left behind may hold its pipes for ever.
      setTimeout(end, 10_000).unref()
    })
  })
  child.stdout?.destroy()
  child.stderr?.destroy()
  try {
    return { exitCode, lastLines, report: JSON.parse(readFileSync(file, 'utf8')) }
  } catch {
    return { exitCode, lastLines, report: undefined } // vitest ended before it had a result
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Enough for what vitest says of errors outside the tests, which it does at the end. */
const keptLines = 100

/** Of two runs that talk at once each line says whose it is; the last ones are kept. */
function labelLines(from, to, label, lastLines) {
  createInterface({ input: from }).on('line', (line) => {
    const labeled = `${label} │ ${line}`
    to.write(`${labeled}\n`)
    lastLines.push(labeled)
    if (lastLines.length > keptLines) lastLines.shift()
  })
}

async function runAll(projects, args) {
  const groups = grouped(projects)
  // A filter may leave nothing of one group; that none had a test is said below.
  if (groups.length > 1 && args.length > 0) args = [...args, '--passWithNoTests']
  const runs = await Promise.all(
    groups.map((group) => runVitest(group, args, groups.length > 1 ? group[0] : undefined)),
  )
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const { exitCode, lastLines, report } of runs) {
    const own = report ? count(report) : { passed: 0, failed: 0, skipped: 0 }
    if (exitCode !== 0 && own.failed === 0 && (own.passed > 0 || !report)) {
      // Where others went on, its words are far up.
      for (const line of lastLines) console.log(line)
      const what = report ? 'reports an error outside the tests' : 'ended before it had a result'
      console.log(`\nvitest ${what}; see above.`)
      own.failed = 1
    }
    for (const key of Object.keys(counts)) counts[key] += own[key]
    if (report) for (const line of failures(report)) console.log(`Failed: ${line}`)
  }
  return { exitCode: Math.max(...runs.map(({ exitCode }) => exitCode)), counts }
}

async function main(args) {
  const requireAll = args.includes('--require-all') || process.env.FARCALL_TEST_REQUIRE === 'all'
  const asked = args.filter((arg) => arg in kinds)
  const rest = args.filter((arg) => !(arg in kinds) && arg !== '--require-all')
  const wanted = asked.length > 0 ? asked : Object.keys(kinds)
  const leftOut = wanted
    .map((name) => ({ name, reason: obstacle(kinds[name]) }))
    .filter(({ reason }) => reason !== undefined)
  const projects = wanted.filter((name) => !leftOut.some((one) => one.name === name))

  const nothing = { exitCode: 1, counts: { passed: 0, failed: 0, skipped: 0 } }
  const { exitCode, counts } = projects.length > 0 ? await runAll(projects, rest) : nothing
  if (requireAll) counts.failed += leftOut.length
  if (counts.passed + counts.failed === 0) {
    console.log('\nNo test ran.')
    counts.failed = 1
  } else if (exitCode !== 0 && counts.failed === 0) {
    console.log('\nA part of the tests did not run; see above.')
    counts.failed = 1
  }
  for (const { name, reason } of leftOut)
    console.log(`${requireAll ? 'Missing' : 'Left out'}: ${name} tests: ${reason}`)
  console.log(summary(counts))
  return counts.failed === 0 ? 0 : exitCode || 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2))
