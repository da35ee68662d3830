import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import type { ClusterOptions, MapOptions } from '../../client/options/options.ts'
import type { Remote } from '../../client/remote.ts'
import { ConfigError } from '../../core/errors.ts'
import { resolveRetry } from '../../core/resolve-retry.ts'
import type { RetryOptions } from '../../core/retry-policy.ts'
import { itemFormatOf, itemsOf, keyOf, requireLists } from '../batch/items.ts'
import { earlierResults, goOnWriting, type ResultWriter, toStdout } from '../batch/result-writer.ts'
import { type Resumed, readResults, resume } from '../batch/resume.ts'
import { exitCodes } from '../exit-codes.ts'
import { printJson } from '../print.ts'
import { readStdin } from '../read-stdin.ts'
import { resourceOptions, resourcesOf } from '../resource-options.ts'
import { say } from '../talk.ts'

interface Options {
  function?: string
  items: string
  format?: string
  spread?: true
  output?: string
  withItem?: true
  concurrency?: string
  chunk?: string
  retry?: string
  profile?: string
  tag?: string[]
  dryRun?: true
  json?: true
  force?: true
}

export function batchCommand(): Command {
  const command = new Command('batch')
    .argument('<file>', 'a TypeScript or JavaScript file that exports the function')
    .requiredOption('--items <file>', 'what it runs for, an item a line; - is stdin')
    .option('--function <name>', 'simulate, or Study.simulate; not needed where there is one')
    .option('--format <format>', 'of the items: jsonl or csv; default: by the ending of the file')
    .option('--spread', 'each item is an array of all arguments, and not the one argument')
    .option(
      '-o, --output <file>',
      'where results are added, and what is there is not run again; default: stdout',
    )
    .option('--with-item', 'results have the item as well')
    .option('--concurrency <number>', 'array members that may run at once')
    .option('--chunk <number>', 'items for each array member; default: auto')
    .option('--retry <json>', 'tries again what failed: a number, or a record as the option `retry`')
    .option('--profile <name>', 'where it runs; default: the configuration’s')
    .option('--tag <tag>', 'a word to find it by; may be given again', (tag, before: string[] = []) => [
      ...before,
      tag,
    ])
    .option('-n, --dry-run', 'tell what would run; nothing is sent or written')
    .option('--json', 'with --dry-run the plan as JSON; results are JSON anyhow')
    .option('--force', 'drop results in --output whose items are no longer there')
  return resourceOptions(command)
    .addHelpText(
      'after',
      `
Of JSONL each line is an item, a JSON value; of CSV each row is one, an object by the names in the first line, whose
values are text, numbers as well. All are read before anything is sent.

Results are lines of JSON, as they come: { index, key, value }, or { index, key, error: { name, code, message } }. With
--output the same command goes on after it was stopped, however that was: what has a value there is not run again, what
failed is. Results are found by their items (key), so that lines may be added, moved and taken out.

Examples:
  farcall batch study.ts --items seeds.jsonl --output results.jsonl
  farcall batch study.ts --items runs.csv --output results.jsonl --concurrency 4 --memory 4GB
  farcall batch study.ts --items seeds.jsonl --retry '{"retries":2,"backoff":"exp"}' | jq .value
  seq 100 | farcall batch study.ts --function simulate --items - --output results.jsonl

Exit code: 0 when all have a value; 1 when an item failed; 2 for items that cannot be read; 5 when nothing was submitted.`,
    )
    .action(batch)
}

async function batch(file: string, options: Options): Promise<void> {
  const [asked, mapOptions] = [callOptions(options), mapOptionsOf(options)]
  const items = await readItems(options)
  if (options.profile !== undefined) process.env['FARCALL_PROFILE'] = options.profile
  const { name, remote } = await chosenFunction(file, options.function)
  const keys = items.map((item) => keyOf(name, item))
  const before = options.output === undefined ? '' : earlierResults(options.output)
  const resumed = resume(keys, readResults(before, options.output ?? 'stdout'))
  refuseForeign(resumed, options)
  const { open } = resumed
  if (open.length < items.length) say(`${items.length - open.length} of ${items.length} items are done`)
  const { closeSessions } = await import('../../client/session/sessions.ts')
  const left = open.map((index) => items[index])
  try {
    if (options.dryRun) {
      const plan = await remote.with(asked).map.plan(left, mapOptions)
      if (options.json) printJson(plan)
      else process.stdout.write(`${plan}\n`)
      return
    }
    const writer = options.output === undefined ? toStdout : goOnWriting(options.output, before, resumed.kept)
    try {
      if (left.length === 0) say('nothing is left to run')
      else await run(remote.with(asked), left, { keys, open, options, mapOptions, writer })
    } finally {
      writer.close()
    }
  } finally {
    await closeSessions()
  }
}

interface Run {
  readonly keys: readonly string[]
  readonly open: readonly number[]
  readonly options: Options
  readonly mapOptions: MapOptions
  readonly writer: ResultWriter
}

async function run(
  remote: Remote<unknown[], unknown>,
  items: readonly unknown[],
  { keys, open, options, mapOptions, writer }: Run,
): Promise<void> {
  const { writeAsTheyEnd } = await import('../batch/write-as-they-end.ts')
  const jobs = options.spread
    ? remote.starmap(items as unknown[][], mapOptions)
    : remote.map(items, mapOptions)
  say(`job ${jobs.id} runs ${items.length === 1 ? 'one item' : `${items.length} items`}`)
  const labels = (at: number) => {
    const index = open[at]!
    return { index, key: keys[index]!, ...(options.withItem ? { item: items[at] } : {}) }
  }
  const { done, failed } = await writeAsTheyEnd(jobs, labels, writer.write)
  if (failed === 0) return
  const again = options.output === undefined ? '' : '; the same command runs them again'
  process.stderr.write(`${failed} of ${done + failed} items failed${again}\n`)
  process.exitCode = exitCodes.failed
}

async function readItems({ items: path, format: asked, spread }: Options): Promise<unknown[]> {
  const format = itemFormatOf(path, asked)
  const items = itemsOf(
    path === '-' ? await readStdin() : readFile(path),
    format,
    path === '-' ? 'stdin' : path,
  )
  if (spread) requireLists(items)
  return items
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new ConfigError('OPTION_INVALID', `--items ${path}: ${(cause as Error).message}`, { cause })
  }
}

async function chosenFunction(path: string, name: string | undefined) {
  const file = resolve(path)
  if (!statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new ConfigError('OPTION_INVALID', `${path}: there is no such file`, {
      hint: 'give the path of a file: farcall batch study.ts --items seeds.jsonl',
    })
  const { chooseFunction, exportedFunctions, importFile } = await import('../exported.ts')
  const chosen = chooseFunction(exportedFunctions(await importFile(file)), name, path)
  return { name: chosen.name, remote: chosen.remote() }
}

function refuseForeign({ foreign }: Resumed, { output, items, force }: Options): void {
  const [first] = foreign
  if (!first || force) return
  throw new ConfigError(
    'OPTION_INVALID',
    `${output} has results of items that ${items} does not hold, or of another function: ${foreign.length}, the first with index ${first.index}`,
    { hint: 'name another file with --output, or drop them with --force' },
  )
}

function callOptions({ profile, tag, ...options }: Options): ClusterOptions {
  return {
    ...resourcesOf(options as unknown as Record<string, unknown>),
    ...(profile === undefined ? {} : { profile }),
    ...(tag === undefined ? {} : { tags: tag }),
  }
}

function mapOptionsOf({ concurrency, chunk, retry }: Options): MapOptions {
  return {
    onError: 'collect',
    ...(concurrency === undefined ? {} : { concurrency: countOf('--concurrency', concurrency) }),
    ...(chunk === undefined ? {} : { chunk: chunk === 'auto' ? chunk : countOf('--chunk', chunk) }),
    ...(retry === undefined ? {} : { retry: retryOf(retry) }),
  }
}

function countOf(option: string, text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count
  throw new ConfigError('OPTION_INVALID', `${option}: '${text}' is no whole number from 1`)
}

function retryOf(text: string): number | RetryOptions {
  let retry: unknown
  try {
    retry = JSON.parse(text)
  } catch (cause) {
    throw new ConfigError('OPTION_INVALID', `--retry: ${(cause as Error).message}`, {
      hint: `a number, or a JSON record: --retry '{"retries":2,"backoff":"exp"}'`,
      cause,
    })
  }
  resolveRetry(retry, '--retry')
  return retry as number | RetryOptions
}
