import type { ts as TypeScript } from 'ts-morph'
import { typescript } from '../analyze/syntax.ts'
import type { Callee, Callees } from './callee.ts'
import { freshnessIn } from './fresh.ts'
import { calledArgument, globalEffect, isMutator, isReader } from './known.ts'
import {
  bare,
  contains,
  type FunctionLike,
  isFunction,
  isReference,
  type Node,
  rootOf,
  type Tree,
  walk,
} from './tree.ts'

/** Something that a piece of code does beside giving a value. */
export type Effect =
  /** It gives a variable another value. */
  | { readonly kind: 'assign'; readonly name: TypeScript.Identifier; readonly node: Node }
  /** It changes an object: the one that `object` stands for. */
  | {
      readonly kind: 'change'
      readonly object: TypeScript.Expression
      readonly node: Node
      readonly how: string
    }
  /** It cannot be told what it does. */
  | { readonly kind: 'unknown'; readonly node: Node; readonly why: string }
  | { readonly kind: 'warning'; readonly node: Node; readonly why: string }

/** What calls of a function do beyond it. */
export interface Summary {
  /** Why it must not be called by turns that are apart. */
  readonly why?: string
  /** Numbers of the parameters whose objects it changes. */
  readonly changes: ReadonlySet<number>
  readonly changesThis: boolean
  readonly warnings: readonly string[]
}

/** Reads code for what it does. `strict`: what is not known to be pure is not. */
export class Effects {
  readonly #callees: Callees
  readonly #strict: boolean
  readonly #summaries = new Map<Node, Summary>()

  constructor(callees: Callees, strict: boolean) {
    this.#callees = callees
    this.#strict = strict
  }

  /** In the order of the text; functions inside count as if they were called. */
  of(root: Node, tree: Tree): Effect[] {
    const ts = typescript()
    const effects: Effect[] = []
    const target = (given: TypeScript.Expression, node: Node): void => {
      const to = bare(given)
      if (ts.isIdentifier(to)) effects.push({ kind: 'assign', name: to, node })
      else if (ts.isPropertyAccessExpression(to) || ts.isElementAccessExpression(to))
        effects.push({ kind: 'change', object: to.expression, node, how: 'changes' })
      else if (ts.isArrayLiteralExpression(to))
        for (const element of to.elements) {
          if (!ts.isOmittedExpression(element))
            target(ts.isSpreadElement(element) ? element.expression : element, node)
        }
      else if (ts.isObjectLiteralExpression(to))
        for (const property of to.properties) {
          if (ts.isPropertyAssignment(property)) target(property.initializer, node)
          else if (ts.isShorthandPropertyAssignment(property)) target(property.name, node)
          else if (ts.isSpreadAssignment(property)) target(property.expression, node)
        }
      else if (ts.isBinaryExpression(to)) target(to.left, node)
    }
    walk(root, (node) => {
      if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) target(node.left, node)
      else if (
        (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) &&
        [ts.SyntaxKind.PlusPlusToken, ts.SyntaxKind.MinusMinusToken].includes(node.operator)
      )
        target(node.operand, node)
      else if (ts.isDeleteExpression(node)) target(node.expression, node)
      else if (
        (ts.isForOfStatement(node) || ts.isForInStatement(node)) &&
        !ts.isVariableDeclarationList(node.initializer)
      )
        target(node.initializer, node)
      else if (node.kind === ts.SyntaxKind.SuperKeyword)
        effects.push({ kind: 'unknown', node, why: `uses 'super'` })
      else if (ts.isCallExpression(node))
        effects.push(...this.#call(node, node.expression, node.arguments, tree))
      else if (ts.isNewExpression(node))
        effects.push(...this.#call(node, node.expression, node.arguments ?? [], tree))
      else if (ts.isTaggedTemplateExpression(node)) effects.push(...this.#call(node, node.tag, [], tree))
      else if (ts.isIdentifier(node) && isReference(node) && !isCallee(node))
        effects.push(...this.#mention(node, tree))
      return undefined
    })
    return effects
  }

  /** A function of the user's that is given away may be called by whoever gets it. */
  #mention(node: TypeScript.Identifier, tree: Tree): Effect[] {
    const callee = this.#callees.named(node, tree)
    if (callee.kind !== 'function') return []
    const { why, changes } = this.summary(callee.fn, callee.tree)
    if (why !== undefined) return [{ kind: 'unknown', node, why: `uses '${node.text}', which ${why}` }]
    if (changes.size > 0)
      return [{ kind: 'unknown', node, why: `uses '${node.text}', which changes its argument` }]
    return []
  }

  #call(
    node: Node,
    expression: TypeScript.Expression,
    args: readonly TypeScript.Expression[],
    tree: Tree,
  ): Effect[] {
    const ts = typescript()
    const strict = this.#strict
    if (expression.kind === ts.SyntaxKind.ImportKeyword)
      return assumed(node, 'a module that is imported', strict)
    if (expression.kind === ts.SyntaxKind.SuperKeyword) return []
    const callee = this.#callees.of(expression, tree)
    switch (callee.kind) {
      case 'inline':
        return []
      case 'function':
        return this.#called(node, callee, args, receiverOf(expression))
      case 'class':
        return this.#made(node, callee)
      case 'farcall':
        return /(^|\.)(range|localMap|gather|remoteFile|localFile)$/.test(callee.name)
          ? []
          : [
              {
                kind: 'unknown',
                node,
                why: `calls '${callee.name}' of farcall, which knows the job that it runs in`,
              },
            ]
      case 'package':
        return assumed(node, `'${callee.name}' of ${callee.from}`, strict)
      case 'global':
        return [...globalCall(node, callee.name, args, strict), ...this.#given(node, callee.name, args, tree)]
      case 'method':
        return [...methodCall(node, callee, tree), ...this.#given(node, callee.name, args, tree)]
      default:
        return [
          {
            kind: 'unknown',
            node,
            why: `calls '${short(callee.name)}', of which the text does not say what it is`,
          },
        ]
    }
  }

  /** What map and its like call. A text, as replace may get one, calls nothing. */
  #given(node: Node, name: string, args: readonly TypeScript.Expression[], tree: Tree): Effect[] {
    const ts = typescript()
    const at = calledArgument(name)
    const given = at === undefined ? undefined : args[at]
    if (!given || ts.isStringLiteralLike(bare(given)) || ts.isTemplateExpression(bare(given))) return []
    return this.#call(node, given, [], tree)
  }

  #called(
    node: Node,
    callee: Extract<Callee, { kind: 'function' }>,
    args: readonly TypeScript.Expression[],
    receiver: TypeScript.Expression | undefined,
  ): Effect[] {
    const { why, changes, changesThis, warnings } = this.summary(callee.fn, callee.tree)
    if (why !== undefined) return [{ kind: 'unknown', node, why: `calls '${callee.name}', which ${why}` }]
    const effects: Effect[] = warnings.map((one) => ({ kind: 'warning', node, why: one }))
    const how = `calls '${callee.name}', which changes`
    for (const index of changes) {
      const object = args[index]
      if (object) effects.push({ kind: 'change', object, node, how })
    }
    if (changesThis && receiver) effects.push({ kind: 'change', object: receiver, node, how })
    return effects
  }

  #made(node: Node, { name, type, tree }: Extract<Callee, { kind: 'class' }>): Effect[] {
    const ts = typescript()
    const isExtended = type.heritageClauses?.some((c) => c.token === ts.SyntaxKind.ExtendsKeyword) ?? false
    const effects: Effect[] = isExtended ? assumed(node, `what '${name}' extends`, this.#strict) : []
    for (const member of type.members) {
      const code = ts.isConstructorDeclaration(member)
        ? member
        : ts.isPropertyDeclaration(member) && member.initializer
          ? member.initializer
          : undefined
      if (!code) continue
      const { why } = isFunction(code) ? this.summary(code, tree) : this.#summarise(code, code, tree)
      if (why !== undefined) effects.push({ kind: 'unknown', node, why: `makes a '${name}', which ${why}` })
    }
    return effects
  }

  summary(fn: FunctionLike, tree: Tree): Summary {
    const known = this.#summaries.get(fn)
    if (known) return known
    // one that calls itself does what the rest of it does
    this.#summaries.set(fn, { changes: new Set(), changesThis: false, warnings: [] })
    const found = this.#summarise(fn, fn, tree)
    this.#summaries.set(fn, found)
    return found
  }

  #summarise(root: Node, within: Node, tree: Tree): Summary {
    const ts = typescript()
    const changes = new Set<number>()
    const warnings: string[] = []
    let changesThis = false
    let why: string | undefined
    for (const effect of this.of(root, tree)) {
      if (effect.kind === 'warning') warnings.push(effect.why)
      if (effect.kind === 'unknown') why ??= effect.why
      if (effect.kind === 'assign') {
        const declaration = tree.declarationOf(effect.name)
        if (!declaration || !contains(within, declaration))
          why ??= `writes ${named(effect.name, declaration)}`
      }
      if (effect.kind !== 'change') continue
      for (const origin of originsOf(effect.object, tree, within)) {
        if (origin === 'fresh') continue
        if (origin === 'unknown')
          why ??= `${effect.how} '${short(effect.object.getText(tree.source))}', which may be held elsewhere`
        else if (origin === 'this') changesThis = true
        else {
          const declaration = tree.declarationOf(origin)
          const parameter = declaration && ts.findAncestor(declaration, ts.isParameter)
          if (!declaration || !contains(within, declaration)) why ??= `changes ${named(origin, declaration)}`
          else if (parameter && parameter.parent === within)
            changes.add(
              (within as FunctionLike).parameters
                .filter((p) => p.name.getText(tree.source) !== 'this')
                .indexOf(parameter),
            )
          // a parameter of a function inside may be anything that is given to it
          else
            why ??= `${effect.how} '${short(effect.object.getText(tree.source))}', which may be held elsewhere`
        }
      }
    }
    return { ...(why === undefined ? {} : { why }), changes, changesThis, warnings }
  }
}

function named(name: TypeScript.Identifier, declaration: Node | undefined): string {
  const ts = typescript()
  if (!declaration) return `the global '${name.text}'`
  const statement = ts.findAncestor(declaration, (n) => ts.isSourceFile(n.parent))
  const isTop = statement && ts.isVariableStatement(statement) && !ts.findAncestor(declaration, isFunction)
  return isTop ? `module variable '${name.text}'` : `'${name.text}'`
}

/**
 * The names whose objects an expression may stand for; 'fresh': one that was made within; 'unknown': anybody's.
 */
export function originsOf(
  given: TypeScript.Expression,
  tree: Tree,
  within: Node,
  level = 0,
): (TypeScript.Identifier | 'fresh' | 'this' | 'unknown')[] {
  const ts = typescript()
  const { isFresh, isFreshVariable, isPrimitive } = freshnessIn(tree, within)
  const { root, depth } = rootOf(given)
  if (root.kind === ts.SyntaxKind.ThisKeyword) return ['this']
  if (ts.isConditionalExpression(root))
    return [
      ...originsOf(root.whenTrue, tree, within, level + 1),
      ...originsOf(root.whenFalse, tree, within, level + 1),
    ]
  if (!ts.isIdentifier(root)) return isFresh(root, depth > 0) ? ['fresh'] : ['unknown']
  const declaration = tree.declarationOf(root)
  if (!declaration) return [root]
  if (isFreshVariable(declaration, depth > 0)) return ['fresh']
  const variable = ts.findAncestor(declaration, ts.isVariableDeclaration)
  const isOwn =
    variable && !ts.findAncestor(declaration, (n) => (n === variable || isFunction(n) ? 'quit' : false))
  if (!variable || !isOwn || level > 8 || ts.findAncestor(declaration, ts.isParameter)) return [root]
  const list = variable.parent
  if (!variable.initializer || (ts.isVariableDeclarationList(list) && !(list.flags & ts.NodeFlags.Const)))
    return [root]
  const from = bare(variable.initializer)
  if (isPrimitive(from)) return ['fresh']
  const inner = rootOf(from)
  if (ts.isIdentifier(inner.root) || inner.root.kind === ts.SyntaxKind.ThisKeyword)
    return [root, ...originsOf(from, tree, within, level + 1)]
  return [root]
}

function receiverOf(expression: TypeScript.Expression): TypeScript.Expression | undefined {
  const node = bare(expression)
  return typescript().isPropertyAccessExpression(node) ? node.expression : undefined
}

function assumed(node: Node, what: string, strict: boolean): Effect[] {
  return strict
    ? [{ kind: 'unknown', node, why: `calls ${what}, which is not proven pure` }]
    : [{ kind: 'warning', node, why: `${what} is taken to be pure` }]
}

function globalCall(
  node: Node,
  name: string,
  args: readonly TypeScript.Expression[],
  strict: boolean,
): Effect[] {
  const effect = globalEffect(name)
  if (effect === 'pure') return []
  if (effect === 'changes')
    return args[0] ? [{ kind: 'change', object: args[0], node, how: `calls ${name}, which changes` }] : []
  if (effect === 'unknown')
    return [{ kind: 'unknown', node, why: `calls '${name}', of which nothing is known` }]
  return strict && effect.strict
    ? [{ kind: 'unknown', node, why: `calls ${name}: ${effect.why}` }]
    : [{ kind: 'warning', node, why: `${name}: ${effect.why}` }]
}

function methodCall(
  node: Node,
  { name, receiver }: Extract<Callee, { kind: 'method' }>,
  tree: Tree,
): Effect[] {
  if (isReader(name)) return []
  const how = `method '${short(`${receiver.getText(tree.source)}.${name}`)}()'`
  return [
    { kind: 'change', object: receiver, node, how: isMutator(name) ? `${how} changes` : `${how} may change` },
  ]
}

function isCallee(node: Node): boolean {
  const { parent } = node
  const ts = typescript()
  return (ts.isCallExpression(parent) || ts.isNewExpression(parent)) && parent.expression === node
}

const isAssignment = (kind: TypeScript.SyntaxKind) => {
  const ts = typescript()
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment
}

export const short = (text: string): string => {
  const line = text.replace(/\s+/g, ' ')
  return line.length > 40 ? `${line.slice(0, 37)}…` : line
}
