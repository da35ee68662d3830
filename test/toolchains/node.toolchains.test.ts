import { build } from 'esbuild'
import { afterAll, describe, it } from 'vitest'
import { makeProject, type Outcome, type Project, removeProjects, runProgram } from './project.ts'
import { expectDecorated, expectWrapped, reportOf } from './report.ts'
import { node, tool, type Version, versions } from './tools.ts'

afterAll(removeProjects)

interface Toolchain {
  project: Parameters<typeof makeProject>[0]
  /** Once, before it runs on each Node. */
  build?(project: Project): Promise<unknown>
  args: readonly string[]
  versions?: readonly Version[]
  wrappedOnly?: boolean
}

const legacy = { experimentalDecorators: true }

async function mustRun(command: string, args: string[], cwd: string): Promise<Outcome> {
  const outcome = await runProgram(command, args, { cwd })
  if (outcome.code !== 0) throw new Error(outcome.stdout + outcome.stderr)
  return outcome
}

const tsc =
  (compiler: string) =>
  ({ folder }: Project) =>
    mustRun(node('22'), [tool(compiler), '-p', folder], folder)

const esbuild =
  (options: object = {}) =>
  ({ folder }: Project) =>
    build({
      absWorkingDir: folder,
      entryPoints: ['src/main.ts'],
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: true,
      outfile: 'build/main.js',
      ...options,
    })

const tsx = tool('tsx/dist/cli.mjs')

const toolchains: Record<string, Toolchain> = {
  'tsx, ES modules, TC39 decorators': { project: {}, args: [tsx, 'src/main.ts'] },
  'tsx, ES modules, legacy decorators': {
    project: { compilerOptions: legacy },
    args: [tsx, 'src/main.ts'],
  },
  'tsx, CommonJS': { project: { type: 'commonjs' }, args: [tsx, 'src/main.ts'] },
  'ts-node, CommonJS, legacy decorators': {
    project: {
      type: 'commonjs',
      bare: true,
      compilerOptions: { ...legacy, module: 'CommonJS', moduleResolution: 'node10' },
    },
    args: [tool('ts-node/dist/bin.js'), 'src/main.ts'],
  },
  'ts-node, CommonJS, TC39 decorators': {
    project: { type: 'commonjs', bare: true },
    args: [tool('ts-node/dist/bin.js'), 'src/main.ts'],
  },
  'tsc, ES modules, TC39 decorators': {
    project: {},
    build: tsc('typescript/bin/tsc'),
    args: ['build/main.js'],
  },
  'tsc, ES modules, legacy decorators, --enable-source-maps': {
    project: { compilerOptions: legacy },
    build: tsc('typescript/bin/tsc'),
    args: ['--enable-source-maps', 'build/main.js'],
  },
  'tsc 7, ES modules, TC39 decorators': {
    project: {},
    build: tsc('typescript-7/bin/tsc'),
    args: ['build/main.js'],
  },
  'esbuild, a bundle with a map beside it': {
    project: {},
    build: esbuild(),
    args: ['build/main.js'],
  },
  'esbuild, a bundle with a map beside it, legacy decorators, --enable-source-maps': {
    project: { compilerOptions: legacy },
    build: esbuild(),
    args: ['--enable-source-maps', 'build/main.js'],
  },
  'node itself, types taken away': {
    project: { plain: true },
    args: ['src/main-wrapped.ts'],
    versions: ['22', '24'],
    wrappedOnly: true,
  },
  'node itself, types transformed': {
    project: {},
    args: ['--experimental-transform-types', 'src/main-wrapped.ts'],
    versions: ['22', '24'],
    wrappedOnly: true,
  },
  'farcall run, TC39 decorators': {
    project: {},
    args: ['../node_modules/farcall/dist/cli/main.js', 'run', 'src/main.ts'],
  },
  'farcall run, legacy decorators': {
    project: { compilerOptions: legacy },
    args: ['../node_modules/farcall/dist/cli/main.js', 'run', 'src/main.ts'],
  },
}

describe.concurrent.each(Object.entries(toolchains))('%s', (_, toolchain) => {
  const ready = once(async () => {
    const project = makeProject(toolchain.project)
    await toolchain.build?.(project)
    return project
  })

  it.each(toolchain.versions ?? versions)(
    'runs there as here on Node %s, errors at their line',
    async (version) => {
      const project = await ready()
      const report = reportOf(await runProgram(node(version), toolchain.args, { cwd: project.folder }))
      expectWrapped(report, project)
      if (!toolchain.wrappedOnly) expectDecorated(report, project)
    },
  )
})

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
