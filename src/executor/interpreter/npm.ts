import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { parseTarGzip } from 'nanotar'

const run = promisify(execFile)

/** The packages that hold Node's own builds. */
const packageOf = (platform: string) => `node-${platform}`

/** A job waits meanwhile: npm's own patience, a minute and more, would keep its cores. */
const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=2000']
const flags = ['--json', '--loglevel=error', '--no-update-notifier', ...patience]

/** npm knows the user's registry, proxy and credentials, and checks what it downloads against the registry's integrity. */
async function npm(args: readonly string[], timeout: number): Promise<string> {
  const beside = join(dirname(process.execPath), 'npm')
  const program = existsSync(beside) ? beside : 'npm'
  try {
    const { stdout } = await run(program, [...args, ...flags], {
      timeout,
      maxBuffer: 64 * 2 ** 20,
      // A project's own settings may ask for other things than a file.
      cwd: tmpdir(),
    })
    return stdout
  } catch (error) {
    throw new Error(wordsOf(error as NodeJS.ErrnoException & { stderr?: string; stdout?: string }), {
      cause: error,
    })
  }
}

function wordsOf({
  code,
  stderr = '',
  stdout = '',
  message,
}: NodeJS.ErrnoException & { stderr?: string; stdout?: string }): string {
  if (code === 'ENOENT') return 'npm is not installed here'
  try {
    const { error } = JSON.parse(stdout) as { error?: { summary?: string; code?: string } }
    if (error?.summary) return [error.code, error.summary.split('\n')[0]].filter(Boolean).join(': ')
  } catch {
    // It did not come to an answer in JSON.
  }
  const lines = stderr.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim())
  return (
    lines
      .filter((line) => line !== '' && !/^A complete log/.test(line))
      .slice(0, 3)
      .join('; ') || message
  )
}

/** All versions of Node that the registry has for a platform. @throws Error in npm's words */
export async function listVersions(platform: string): Promise<string[]> {
  const versions = JSON.parse(await npm(['view', packageOf(platform), 'versions'], 120_000)) as
    | string
    | string[]
  return typeof versions === 'string' ? [versions] : versions
}

/** bin/node of one of them. @throws Error in npm's words */
export async function downloadNode(platform: string, version: string): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'farcall-node-'))
  try {
    const answer = await npm(
      ['pack', `${packageOf(platform)}@${version}`, '--ignore-scripts', '--pack-destination', folder],
      1_800_000,
    )
    const [packed] = JSON.parse(answer) as { filename: string }[]
    const isNode = ({ name }: { name: string }) => name === 'package/bin/node'
    const [node] = await parseTarGzip(await readFile(join(folder, packed!.filename)), { filter: isNode })
    if (!node?.data) throw new Error(`${packageOf(platform)}@${version} holds no bin/node`)
    return node.data
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
