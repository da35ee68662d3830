import { isBuiltin } from 'node:module'
import type { ts as TypeScript } from 'ts-morph'
import { typescript } from '../analyze/syntax.ts'
import { isStandardGlobal } from '../globals.ts'
import type { Modules } from '../modules.ts'
import { packageName } from '../packages.ts'
import { bare, type FunctionLike, isFunction, type Node, type Tree, treeOf } from './tree.ts'

/** What a call calls. */
export type Callee =
  | { readonly kind: 'function'; readonly name: string; readonly fn: FunctionLike; readonly tree: Tree }
  | {
      readonly kind: 'class'
      readonly name: string
      readonly type: TypeScript.ClassLikeDeclaration
      readonly tree: Tree
    }
  | { readonly kind: 'package'; readonly name: string; readonly from: string }
  | { readonly kind: 'farcall'; readonly name: string }
  /** 'Math.max', 'structuredClone' */
  | { readonly kind: 'global'; readonly name: string }
  | { readonly kind: 'method'; readonly name: string; readonly receiver: TypeScript.Expression }
  | { readonly kind: 'inline' }
  | { readonly kind: 'unknown'; readonly name: string }

/** Leads from a name to what it calls, through the user's own files. */
export class Callees {
  readonly #modules: Modules

  constructor(modules: Modules) {
    this.#modules = modules
  }

  of(given: TypeScript.Expression, tree: Tree): Callee {
    const ts = typescript()
    const node = bare(given)
    if (isFunction(node) || ts.isClassExpression(node)) return { kind: 'inline' }
    if (ts.isIdentifier(node)) return this.named(node, tree)
    if (!ts.isPropertyAccessExpression(node)) return { kind: 'unknown', name: node.getText(tree.source) }
    const receiver = bare(node.expression)
    const method: Callee = { kind: 'method', name: node.name.text, receiver: node.expression }
    if (receiver.kind === ts.SyntaxKind.ThisKeyword) {
      const type = classAround(node)
      const found = type && methodOf(type, node.name.text, tree)
      return found ?? method
    }
    if (!ts.isIdentifier(receiver)) return method
    const declaration = tree.declarationOf(receiver)
    if (!declaration)
      return isStandardGlobal(receiver.text) || !isLocalName(receiver.text)
        ? { kind: 'global', name: `${receiver.text}.${node.name.text}` }
        : method
    const held = this.#declared(receiver, declaration, tree)
    if (held.kind === 'package' || held.kind === 'farcall')
      return { ...held, name: `${receiver.text}.${node.name.text}` }
    if (held.kind === 'class') return methodOf(held.type, node.name.text, held.tree, true) ?? method
    if (held.kind === 'namespace') return this.#exported(held.tree, node.name.text, receiver.text)
    return method
  }

  named(node: TypeScript.Identifier, tree: Tree): Callee {
    const declaration = tree.declarationOf(node)
    if (!declaration) return { kind: 'global', name: node.text }
    const found = this.#declared(node, declaration, tree)
    return found.kind === 'namespace' ? { kind: 'unknown', name: node.text } : found
  }

  #declared(
    { text }: TypeScript.Identifier,
    declaration: Node,
    tree: Tree,
  ): Callee | { kind: 'namespace'; tree: Tree } {
    const ts = typescript()
    const imported = ts.findAncestor(declaration, ts.isImportDeclaration)
    if (imported) return this.#imported(text, tree)
    if (isFunction(declaration)) return { kind: 'function', name: text, fn: declaration, tree }
    if (ts.isClassLike(declaration)) return { kind: 'class', name: text, type: declaration, tree }
    const isConstant =
      ts.isVariableDeclaration(declaration) && (declaration.parent.flags & ts.NodeFlags.Const) !== 0
    if (!isConstant || !ts.isIdentifier(declaration.name) || !declaration.initializer)
      return { kind: 'unknown', name: text }
    const value = bare(declaration.initializer)
    if (isFunction(value)) return { kind: 'function', name: text, fn: value, tree }
    if (ts.isClassLike(value)) return { kind: 'class', name: text, type: value, tree }
    // `cluster(options, fn)`: within a job it runs in place
    if (ts.isCallExpression(value) && value.arguments.length > 0) {
      const callee = this.of(value.expression, tree)
      const fn = bare(value.arguments.at(-1)!)
      if (callee.kind === 'farcall' && callee.name.endsWith('cluster') && isFunction(fn))
        return { kind: 'function', name: text, fn, tree }
    }
    return { kind: 'unknown', name: text }
  }

  #imported(local: string, tree: Tree): Callee | { kind: 'namespace'; tree: Tree } {
    const binding = tree.file.analysis.imports.find((one) => one.local === local)
    if (!binding) return { kind: 'unknown', name: local }
    if (binding.own) return { kind: 'farcall', name: binding.name }
    const target = this.#modules.sibling(tree.file, binding)
    if (target) {
      if (binding.name === '*') return { kind: 'namespace', tree: treeOf(target) }
      return this.#exported(treeOf(target), binding.name, local)
    }
    if (/^[./#]/.test(binding.from)) return { kind: 'unknown', name: local }
    const from = isBuiltin(binding.from) ? binding.from : packageName(binding.from)
    return { kind: 'package', name: local, from }
  }

  #exported(tree: Tree, exported: string, name: string): Callee {
    const found = this.#modules.exported(tree.file, exported)
    if (!found) return { kind: 'unknown', name }
    const there = treeOf(found.file)
    const identifier = topLevelName(there, found.name)
    if (!identifier) {
      const again = found.file.analysis.imports.some((one) => one.local === found.name)
      const imported = again ? this.#imported(found.name, there) : undefined
      return imported === undefined || imported.kind === 'namespace' ? { kind: 'unknown', name } : imported
    }
    const callee = this.#declared(identifier.name, identifier.declaration, there)
    return callee.kind === 'namespace' ? { kind: 'unknown', name } : callee
  }
}

/** Where a file declares a name at its top. */
function topLevelName(
  tree: Tree,
  name: string,
): { name: TypeScript.Identifier; declaration: Node } | undefined {
  const ts = typescript()
  for (const statement of tree.source.statements) {
    if (
      (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) &&
      statement.name?.text === name
    )
      return { name: statement.name, declaration: statement }
    if (!ts.isVariableStatement(statement)) continue
    for (const declaration of statement.declarationList.declarations)
      if (ts.isIdentifier(declaration.name) && declaration.name.text === name)
        return { name: declaration.name, declaration }
  }
  return undefined
}

const isLocalName = (name: string) => name === 'arguments'

function classAround(node: Node): TypeScript.ClassLikeDeclaration | undefined {
  const ts = typescript()
  return ts.findAncestor(node, ts.isClassLike) as TypeScript.ClassLikeDeclaration | undefined
}

function methodOf(
  type: TypeScript.ClassLikeDeclaration,
  name: string,
  tree: Tree,
  isStatic?: boolean,
): Callee | undefined {
  const ts = typescript()
  const found = type.members.find(
    (member): member is TypeScript.MethodDeclaration =>
      ts.isMethodDeclaration(member) &&
      member.body !== undefined &&
      member.name.getText(tree.source) === name &&
      (isStatic === undefined ||
        member.modifiers?.some((m) => m.kind === ts.SyntaxKind.StaticKeyword) === isStatic),
  )
  return found && { kind: 'function', name: `${type.name?.text ?? 'this'}.${name}`, fn: found, tree }
}
