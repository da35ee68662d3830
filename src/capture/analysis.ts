/** What a file's text says about its functions and names. Plain data: it is kept on disk by the text's hash. */
export interface FileAnalysis {
  imports: ImportBinding[]
  /** `import 'x'`: run for its effects only. */
  effects: string[]
  exports: ExportBinding[]
  /** `export * from 'x'` */
  stars: string[]
  declarations: Declaration[]
  /** Where module-level names and imports stand, declaration first: a bundler may have renamed them. */
  positions: Record<string, number[]>
  /** Names that nothing in the file declares: the language's, Node's, or what a REPL or script put there. */
  globals: string[]
  functions: FunctionNode[]
  calls: CallNode[]
  /** Where `import.meta` stands whose url, filename or dirname is asked for. */
  metas: number[]
  assets: AssetNode[]
  /** Calls of `localMap`: what they give to other threads. */
  threads: ThreadNode[]
  /** All modules that it names in import(), require() and the like; static imports and re-exports too. */
  reaches: string[]
  /** CommonJS `exports.x = / `module.exports`, which the slicer does not follow. */
  commonjs: boolean
}

export interface ImportBinding {
  local: string
  from: string
  /** 'default', '*' or the exported name. */
  name: string
  /** `with { type: 'json' }` */
  type?: string
  /** Our own package: replaced by the stub. */
  own?: boolean
}

export interface ExportBinding {
  name: string
  /** A declaration or import of this file … */
  local?: string
  /** … or handed on from another one. */
  from?: string
}

/** `new URL('./data.csv', import.meta.url)`: the file travels in the bundle. */
export interface AssetNode {
  /** Where `import.meta` stands. */
  at: number
  from: string
  /** Where the text of `from` stands, with its quotes. */
  literal: Range
  /** `new Worker(new URL(…))`: a program of its own. */
  worker: boolean
}

/** A function that `localMap` is given. */
export interface ThreadNode {
  /** Where the call begins, and where the argument ends that is the function. */
  at: number
  end: number
  /** Index of a function that stands in another one, as the argument or as a name of the same scope. */
  fn?: number
  /** A module-level name or import. */
  name?: string
  /** A name that the function sees, and that means another variable where it is given. */
  hidden?: string
}

export type Range = [start: number, end: number]

/** A module-level declaration; one for each declarator of a variable statement. */
export interface Declaration {
  kind: 'function' | 'class' | 'enum' | 'namespace' | 'variable' | 'import-equals'
  names: string[]
  start: number
  end: number
  /** Variables: the whole statement and its keyword. */
  statement?: { start: number; end: number; keyword: Range }
  /** Inside start..end (or the statement): export keywords, decorators of ours. */
  blank: Range[]
  /**
   * Module-level names and imports that the text needs; beside them 'import:x' for import() and require(),
   * 'asset:n' for what new URL() names, 'refuse:at:what' for what cannot travel.
   */
  uses: string[]
  /** Those that are needed while the module is evaluated. */
  evalUses: string[]
  /** A constant made of primitive literals: the source says all there is. */
  literal: boolean
  /** Nothing is called while the initialiser runs: running it again gives the same. */
  still: boolean
  /** Assigned to after its declaration. */
  reassigned: boolean
  /** Something is put into it or taken out of it elsewhere: `x.y =`, `x.push()`, `Object.assign(x)`. */
  mutated: boolean
  /** `export default …` without a name of its own: it is called $default. */
  isDefault?: boolean
  /** The type annotation of a variable. */
  type?: Range
  /** Index of the function or class that this name stands for. */
  fn?: number
}

export interface FunctionNode {
  kind: 'arrow' | 'function' | 'class' | 'method' | 'getter' | 'setter' | 'constructor'
  name: string
  /** What it is assigned to, through the calls around it: `const run = cluster(() => …)`. */
  label?: string
  start: number
  end: number
  /** Where V8 says that the function is: its parameters. */
  at: number
  async: boolean
  generator: boolean
  length: number
  /** Index of the function around it; -1: none. */
  parent: number
  /** Name of the module-level declaration that it is. */
  declared?: string
  /** Method: index of its class (classes only), or undefined for an object literal's. */
  owner?: number
  isStatic?: boolean
  isPrivate?: boolean
  /** Class: has #private members (itself, its bases not looked at). */
  privates?: boolean
  /** Class: names in #private fields. */
  privateNames?: string[]
  staticPrivateNames?: string[]
  /** Class: where its body opens, where an explicit constructor's body opens, whether it extends. */
  classBody?: number
  constructorBody?: number
  heritage?: string | true
  /** Class: has decorators that are not ours. */
  decorated?: boolean
  captures: Capture[]
  /** Module-level names and imports that the text needs. */
  uses: string[]
  /** Module-level names that it assigns to, first place each. */
  assigns?: { name: string; at: number }[]
  /** What an arrow takes from around it and a copy cannot have, with the place. */
  lexical?: { what: 'this' | 'super' | 'new.target' | 'arguments'; at: number }
  blank: Range[]
}

export interface Capture {
  name: string
  /** Position of the declaration: tells equal names apart. */
  declaration: number
  /** First use in this function. */
  at: number
  /** Assigned to inside this function, here. */
  writes?: number
  /** Index of the function or class it is a constant for. */
  fn?: number
  /** A constant made of primitive literals: its text, for compilers that inlined it. */
  literal?: string
  /** Needed while a class is evaluated (extends, static). */
  early?: boolean
  /** A function or loop stands between the variable and this function: copies of it may share the variable. */
  shareable?: boolean
}

/** A call with a function, or a name, among its arguments. */
export interface CallNode {
  start: number
  /** Start of the callee's last name: what a mapped stack points at. */
  name: number
  end: number
  functions: number[]
}
