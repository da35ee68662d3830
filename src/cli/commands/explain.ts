import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { relative, resolve } from 'node:path'
import { Command } from 'commander'
import type { ExplainOptions } from '../../client/explain/explain.ts'
import type { Explanation, Position } from '../../client/explain/types.ts'
import { cacheFolder } from '../../config/cache-folder.ts'
import { ConfigError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'

interface Options {
  function?: string
  bundle?: true
  json?: true
  node?: string
  profile?: string
}

export function explainCommand(): Command {
  return new Command('explain')
    .argument('<what>', 'a TypeScript or JavaScript file; or a job, to tell why it waits or failed')
    .option('--function <name>', 'only the function of this name: simulate, or Study.simulate')
    .option('--bundle', 'list what the bundle consists of, by file and package, with sizes in bytes')
    .option('--node <version>', 'major version of Node on the cluster, to be warned of what it lacks')
    .option('--profile <name>', 'the profile whose Node that is, when --node is not given')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Nothing of the program runs: its text is read, and each function is bundled as a call would.
Values of variables are known only when the program runs, and may be refused then; so may functions and
class instances among the arguments of a call. Without --node, the oldest Node counts that jobs of the
profile ran on lately, or 16 when none is known.

Examples:
  farcall explain study.ts
  farcall explain study.ts --function simulate --bundle
  farcall explain fqp3ikcfdfl4z4

Exit code: 1 when a function cannot travel; 0 for a job.`,
    )
    .action(explainFile)
}

async function explainFile(name: string, options: Options): Promise<void> {
  const file = resolve(name)
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    if (!/[./]/.test(name.replace(/\[.*$/, ''))) {
      const { explainJob } = await import('../explain-job.ts')
      return explainJob(name, options)
    }
    throw new ConfigError('OPTION_INVALID', `${name}: there is no such file`, {
      hint: 'give the path of a file: farcall explain study.ts',
    })
  }
  // Only here: `farcall run` is not to load the capture before its program does.
  const { explain } = await import('../../client/explain/explain.ts')
  const known =
    options.node === undefined || options.profile !== undefined ? await placeFor(options.profile) : {}
  const node = options.node === undefined ? known.node! : majorVersion(options.node)
  const all = await explain(file, {
    bundle: options.bundle ?? false,
    node,
    ...(known.packages && { packages: known.packages }),
    cacheDir: cacheFolder(process.env, homedir()),
  })
  const explanations = options.function === undefined ? all : chosen(all, options.function, name)
  if (options.json)
    process.stdout.write(`${JSON.stringify({ file, node, functions: explanations }, null, 2)}\n`)
  else if (explanations.length === 0)
    process.stderr.write(
      `${name}: no function is marked with cluster (imported ones are explained in their own file)\n`,
    )
  else {
    const { default: Table } = await import('cli-table3')
    const render: Render = (head, rows) => {
      const table = new Table({ head, style: { head: [], border: [], compact: true } })
      table.push(...rows)
      return table.toString()
    }
    process.stdout.write(explanations.map((one) => shown(one, render)).join('\n'))
    process.stderr.write(
      `Read from the text, for Node ${node}: nothing was run, so values were not looked at.\n`,
    )
  }
  if (explanations.some((one) => !canTravel(one))) process.exitCode = 1
}

/** What a call without options of its own is compiled for, and what the profile says of packages. */
async function placeFor(name: string | undefined): Promise<Pick<ExplainOptions, 'node' | 'packages'>> {
  const { placeOf } = await import('../../client/submit/spec.ts')
  const { here, nodeAt } = await import('../../client/payload/node-seen.ts')
  const { profileFor } = await import('../../client/options/settings.ts')
  const { packageChoices } = await import('../../client/payload/packages.ts')
  const at = placeOf(await profileFor(name), {})
  return { node: nodeAt(at, here()), packages: packageChoices(at) }
}

function majorVersion(text: string): number {
  const major = /^v?(\d+)(?:\.\d+){0,2}$/.exec(text)?.[1]
  if (major === undefined)
    throw new ConfigError('OPTION_INVALID', `--node: '${text}' is not a version of Node`, {
      hint: 'give its major version: --node 20',
    })
  return Number(major)
}

function chosen(all: readonly Explanation[], name: string, file: string): readonly Explanation[] {
  const found = all.filter((one) => one.name === name || one.name.endsWith(`.${name}`))
  if (found.length > 0) return found
  const names = all.map((one) => one.name)
  const near = nearest(
    name,
    names.flatMap((full) => [full, full.slice(full.lastIndexOf('.') + 1)]),
  )
  throw new ConfigError('OPTION_INVALID', `${file}: no function '${name}' is marked with cluster`, {
    hint: near ? `did you mean ${near}?` : names.length > 0 ? `there are: ${names.join(', ')}` : 'none is',
  })
}

const canTravel = ({ refusals }: Explanation) => refusals.length === 0

type Render = (head: string[], rows: string[][]) => string

const place = ({ file, line, column }: Position) => `${relative('', file)}:${line}:${column}`

/** A loop, and what becomes of it. */
function loopLines({
  at,
  form,
  split,
  reason,
  because,
  warnings,
  strict,
}: Explanation['loops'][number]): string[] {
  const where =
    because && (because.line !== at.line || because.file !== at.file) ? ` (${place(because)})` : ''
  const lines = [
    `    ${place(at)} ${form}: ${split ? 'split into tasks' : `left as it is: ${reason}${where}`}`,
  ]
  for (const warning of split ? warnings : []) lines.push(`      ${warning}`)
  if (strict) lines.push(`      'strict' leaves it as it is: ${strict.reason}`)
  return lines
}

/** One function in words and tables. */
function shown(one: Explanation, render: Render): string {
  const size = one.bundle ? `, ${one.bundle.bytes} bytes` : ''
  const lines = [
    `${one.name} (${one.form}, ${place(one.at)}): ${canTravel(one) ? 'can travel' : 'REFUSED'}${size}`,
  ]
  for (const { code, message, hint } of one.refusals)
    lines.push(`  ${code}: ${message}`, ...(hint === undefined ? [] : [`    hint: ${hint}`]))
  const travelling = [
    ...one.captured.map(({ name, at, how }) => ['captured variable', name, how, place(at)]),
    ...one.files.flatMap(({ names }) => names.map(({ kind, name, how, at }) => [kind, name, how, place(at)])),
    ...one.packages.map(({ name, version, imports }) => [
      'package',
      version === undefined ? name : `${name} ${version}`,
      one.externals.some((external) => external.name === name) ? 'installed' : 'bundled',
      imports.join(', '),
    ]),
    ...one.builtins.map((name) => ['module of Node', name, "the cluster's own", '']),
  ]
  if (travelling.length > 0) lines.push(render(['what', 'name', 'goes as', 'where'], travelling))
  if (one.externals.length > 0)
    lines.push(
      'Packages that cannot be bundled; they and what they need travel beside the bundle:',
      render(
        ['package', 'why'],
        one.externals.map(({ name, version, why }) => [`${name} ${version}`, why]),
      ),
    )
  if (one.loops.length > 0) lines.push("  Loops, with parallel: 'auto':", ...one.loops.flatMap(loopLines))
  for (const { at, message } of one.warnings) lines.push(`  warning: ${place(at)} ${message}`)
  if (one.bundle)
    lines.push(
      render(
        ['bytes', 'of'],
        one.bundle.content.map(({ name, bytes }) => [
          String(bytes),
          name.startsWith('/') ? relative('', name) : name.replace(/^package:/, 'the package '),
        ]),
      ),
    )
  return `${lines.join('\n')}\n`
}
