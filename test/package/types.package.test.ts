import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import pLimit from 'p-limit'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeFolder } from '../remove-folder.ts'
import { execute, link, pack, root, unpack } from './packed.ts'

let folder = ''
const entries = [
  'dist/index.d.ts',
  'dist/testing/index.d.ts',
  'dist/testing/suites.d.ts',
  'dist/vite/index.d.ts',
]
let exported: PublicSymbol[] = []
/** Each example of the documentation, as a module of its own: [what it belongs to, file]. */
let examples: [name: string, file: string][] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-types-'))
  // Declarations of ours that need another package would fail here: only these are to be had.
  await unpack(await pack(), join(folder, 'node_modules/farcall'))
  for (const name of ['@types/node', 'undici-types', 'vitest']) link(name, folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  cpSync(join(root, 'test/types'), join(folder, 'types'), { recursive: true })
  mkdirSync(join(folder, 'examples'))
  exported = entries.flatMap(publicSymbols)
  let number = 0
  examples = exported.flatMap(({ name, examples }) =>
    examples.map((text, index): [string, string] => {
      // Numbered: names that differ by case alone are one file to some.
      const file = `examples/${number++}-${name}-${index}.ts`
      writeFileSync(join(folder, file), `${text}\nexport {}\n`)
      return [name, file]
    }),
  )
})
afterAll(() => removeFolder(folder))

const fixtures = readdirSync(join(root, 'test/types')).filter((name) => name.endsWith('.types.ts'))
const nodeNext = { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }
const bundler = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }

/** Libraries are read and parsed once for all programs. */
const parsed = new Map<string, ts.SourceFile | undefined>()

function hostFor(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const read = host.getSourceFile
  host.getSourceFile = (file, ...rest) => {
    if (!/\/lib\.[^/]*\.d\.ts$|@types|undici/.test(file)) return read(file, ...rest)
    if (!parsed.has(file)) parsed.set(file, read(file, ...rest))
    return parsed.get(file)
  }
  return host
}

function programOf(files: readonly string[], options: ts.CompilerOptions): ts.Program {
  const all: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    ...nodeNext,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    typeRoots: [join(folder, 'node_modules/@types')],
    ...options,
  }
  return ts.createProgram({
    rootNames: files.map((file) => join(folder, file)),
    options: all,
    host: hostFor(all),
  })
}

/** What tsc says of these files. */
function errorsOf(files: readonly string[], options: ts.CompilerOptions = {}): string[] {
  return ts.getPreEmitDiagnostics(programOf(files, options)).map(({ file, start, messageText }) => {
    const place =
      file && `${relative(folder, file.fileName)}:${file.getLineAndCharacterOfPosition(start!).line + 1}`
    return `${place}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}

interface PublicSymbol {
  readonly name: string
  readonly kind: ts.SymbolFlags
  readonly documentation: string
  readonly examples: readonly string[]
}

function publicSymbols(entry: string): PublicSymbol[] {
  const program = programOf([`node_modules/farcall/${entry}`], {})
  const checker = program.getTypeChecker()
  const [file] = program.getRootFileNames()
  const module = checker.getSymbolAtLocation(program.getSourceFile(file!)!)!
  return checker.getExportsOfModule(module).map((exported) => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    return {
      name: exported.name,
      kind: symbol.flags,
      documentation: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
      examples: symbol
        .getJsDocTags(checker)
        .filter(({ name }) => name === 'example')
        .map(({ text }) => ts.displayPartsToString(text).replaceAll('\\@', '@')),
    }
  })
}

describe('the types that users get', () => {
  it.each([
    ['nodenext', nodeNext],
    ['nodenext, experimentalDecorators', { ...nodeNext, experimentalDecorators: true }],
    ['bundler', { ...bundler, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }],
    ['bundler, experimentalDecorators', { ...bundler, experimentalDecorators: true }],
  ])('are as declared, and wrong uses do not compile: %s', (_, options) => {
    expect(fixtures.length).toBeGreaterThan(2)
    expect(
      errorsOf(
        fixtures.map((name) => `types/${name}`),
        options,
      ),
    ).toEqual([])
  })

  it('are sound by themselves, without the types of Node', () => {
    const file = 'without-node.ts'
    const text =
      "import { cluster } from 'farcall'\nexport const n: number = await cluster((a: number) => a)(1)\n"
    writeFileSync(join(folder, file), text)
    const lib = ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts']
    expect(errorsOf([file], { types: [], typeRoots: [], lib, skipLibCheck: false })).toEqual([])
  })

  it('are there for farcall/testing', () => {
    const file = 'suite.ts'
    const text = `import { MemoryExecutor } from 'farcall/testing'
import { executorSuite } from 'farcall/testing/suites'

executorSuite('memory', async () => new MemoryExecutor(), { timeoutMs: 1000 })
// @ts-expect-error no name
executorSuite(async () => new MemoryExecutor())
`
    writeFileSync(join(folder, file), text)
    expect(errorsOf([file])).toEqual([])
  })
})

describe('the documentation of what is exported', () => {
  it('is there for each name, with an example for each function and class', () => {
    const values = ts.SymbolFlags.Function | ts.SymbolFlags.Class
    expect(exported.filter(({ documentation }) => !documentation).map(({ name }) => name)).toEqual([])
    expect(
      exported.filter(({ kind, examples }) => kind & values && examples.length === 0).map(({ name }) => name),
    ).toEqual([])
  })

  it('has examples that compile', () => {
    expect(examples.length).toBeGreaterThan(10)
    expect(errorsOf(examples.map(([, file]) => file))).toEqual([])
  })

  it('has examples that run', { timeout: 900_000 }, async () => {
    const place = join(folder, 'run')
    mkdirSync(join(place, 'node_modules'), { recursive: true })
    symlinkSync(root, join(place, 'node_modules/farcall'))
    writeFileSync(join(place, 'package.json'), JSON.stringify({ type: 'module' }))
    const env = { FARCALL_WORKDIR: join(place, 'work'), FARCALL_SCHEDULER: 'direct' }
    const ran: string[] = []
    const failed: string[] = []
    const runs = pLimit(3)
    const all = examples.map(([, file]) =>
      runs(async () => {
        const text = readFileSync(join(folder, file), 'utf8')
        // These need a cluster, a job of yesterday, or a test runner around them.
        if (/farcall\/(testing|vite)|attach[<(]|host: |partition/.test(text)) return
        cpSync(join(folder, file), join(place, basename(file)))
        const argv = [join(root, 'dist/cli/main.js'), 'run', basename(file)]
        const { code, stderr } = await execute(process.execPath, argv, place, env)
        if (code !== 0) failed.push(`${file}: ${stderr}`)
        ran.push(file)
      }),
    )
    await Promise.all(all)
    expect(failed).toEqual([])
    expect(ran.length).toBeGreaterThan(10)
  })
})
