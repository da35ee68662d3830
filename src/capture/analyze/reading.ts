import type { ts as TypeScript } from 'ts-morph'
import type {
  AssetNode,
  CallNode,
  Declaration,
  ExportBinding,
  FunctionNode,
  ImportBinding,
  Range,
  ThreadNode,
} from '../analysis.ts'
import { syntaxOf, typescript } from './syntax.ts'

/** A name where it is used, or what else the text needs (`import:x`, `asset:n`, `refuse:at:what`). */
export interface Use {
  name: string
  at: number
  /** Innermost function around it. */
  fn: number
  /** Position of the declaration, for what is neither module-level nor imported. */
  local: number | undefined
  localFn: number | undefined
  literal?: string
  /** The outermost function or loop between the variable and this use. */
  around?: Range
  write: boolean
  mutates: boolean
  /** Runs while the enclosing class or statement is evaluated. */
  early: boolean
}

/** A use of what neither the module nor an import declares. */
export interface LocalUse {
  use: number
  declaration: TypeScript.Declaration
  node: TypeScript.Node
}

/** One file while it is read: its text and tree, and what was found so far. */
export interface Reading {
  readonly source: TypeScript.SourceFile
  readonly text: string
  readonly checker: TypeScript.TypeChecker
  readonly syntax: ReturnType<typeof syntaxOf>
  /** Whether a module specifier means farcall itself. */
  readonly isOwn: (specifier: string) => boolean
  readonly imports: ImportBinding[]
  readonly effects: string[]
  readonly exports: ExportBinding[]
  readonly stars: string[]
  readonly declarations: Declaration[]
  readonly functions: FunctionNode[]
  readonly functionOf: Map<TypeScript.Node, number>
  readonly calls: CallNode[]
  /** Arguments of calls, which may name functions that come later in the text. */
  readonly pendingCalls: { call: number; args: TypeScript.Node[] }[]
  readonly uses: Use[]
  readonly localUses: LocalUse[]
  /** Positions of declarations that are assigned to. */
  readonly assigned: Set<number>
  /** Names that nothing in the file declares. */
  readonly globals: Set<string>
  readonly metas: number[]
  readonly assets: AssetNode[]
  /** Modules that the file names, in whatever way. */
  readonly reached: Set<string>
  /** Calls of eval, each with the function around it. */
  readonly threads: ThreadNode[]
  /** Those calls, until functions that come later in the text are known. */
  readonly pendingThreads: TypeScript.CallExpression[]
  readonly evals: { fn: number; at: number }[]
  commonjs: boolean
}

/** Reads one file, without its imports and without lib files: 3 ms where a project takes seconds. */
export function openReading(file: string, text: string, isOwn: Reading['isOwn']): Reading {
  const ts = typescript()
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const program = ts.createProgram(
    [file],
    { noLib: true, noResolve: true, types: [], allowJs: true, target: ts.ScriptTarget.Latest },
    {
      getSourceFile: (name) => (name === file ? source : undefined),
      getDefaultLibFileName: () => '',
      writeFile: () => {},
      getCurrentDirectory: () => '/',
      getCanonicalFileName: (name) => name,
      useCaseSensitiveFileNames: () => true,
      getNewLine: () => '\n',
      fileExists: (name) => name === file,
      readFile: () => undefined,
    },
  )
  const checker = program.getTypeChecker()
  return {
    source,
    text,
    checker,
    syntax: syntaxOf(source),
    isOwn,
    imports: [],
    effects: [],
    exports: [],
    stars: [],
    declarations: [],
    functions: [],
    functionOf: new Map(),
    calls: [],
    pendingCalls: [],
    uses: [],
    localUses: [],
    assigned: new Set(),
    globals: new Set(),
    metas: [],
    assets: [],
    reached: new Set(),
    threads: [],
    pendingThreads: [],
    evals: [],
    commonjs: false,
  }
}
