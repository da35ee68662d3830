import type { ts as TypeScript } from 'ts-morph'
import { isFoldOperator } from '../../core/loops/folds.ts'
import type { Container, Fold } from '../../core/loops/plan.ts'
import { typescript } from '../analyze/syntax.ts'
import { type Effects, originsOf, short } from './effects.ts'
import type { Form } from './forms.ts'
import { bare, contains, isFunction, isReference, type Node, type Tree, walk } from './tree.ts'

/** `total += e`: where e stands, or where the statement does when there is no e. */
export interface FoldSite {
  readonly site: number
  readonly value?: TypeScript.Expression
  readonly statement: TypeScript.Expression
}

export interface BodyFindings {
  readonly why?: { readonly node: Node; readonly text: string }
  readonly warnings: readonly string[]
  readonly containers: ReadonlyMap<TypeScript.Declaration, Container>
  readonly folds: readonly Fold[]
  readonly sites: readonly FoldSite[]
  /** Whether it uses `this`. */
  readonly self: boolean
}

/** Methods that call what they are given before they end. */
const atOnce = new Set(
  'forEach map filter reduce reduceRight some every find findIndex findLast findLastIndex flatMap sort toSorted'.split(
    ' ',
  ),
)
const containerMethods: Record<string, Container> = { push: 'push', add: 'add', set: 'set' }

/** What one turn of a loop does to the function around it. */
export function readBody(form: Form, fn: Node, tree: Tree, effects: Effects): BodyFindings {
  const ts = typescript()
  const text = (node: Node) => node.getText(tree.source)
  const containers = new Map<TypeScript.Declaration, Container>()
  const folds: Fold[] = []
  const sites: FoldSite[] = []
  const warnings: string[] = []
  /** Names that stand where a change is made that can be put together again. */
  const changes = new Map<Node, TypeScript.Declaration>()
  const reductions = new Map<TypeScript.Declaration, true>()
  const assigned = new Map<TypeScript.Identifier, TypeScript.Declaration>()
  let why: BodyFindings['why']
  let self = false
  const refuse = (node: Node, words: string) => {
    const before = why?.node
    // Of two that begin together the inner one says more.
    const isFirst = !before || node.pos < before.pos || (node.pos === before.pos && node.end < before.end)
    if (isFirst) why = { node, text: words }
  }
  const { body } = form
  const isTurns = (declaration: Node) =>
    contains(body, declaration) || form.names.some((names) => contains(names, declaration))
  const isElement = (declaration: Node) => form.names.some((names) => contains(names, declaration))
  const ofFunction = (declaration: Node) => contains(fn, declaration)
  const isStatement = (node: Node) => ts.isExpressionStatement(node.parent) && node.parent.expression === node

  /** Whether a change made here comes in the order of the turns, and before the turn ends. */
  const inTurn = (node: Node): boolean => {
    for (let n: Node = node.parent; n && n !== body; n = n.parent)
      if (isFunction(n)) {
        const call = n.parent
        const isSync = !n.modifiers?.some((m) => m.kind === ts.SyntaxKind.AsyncKeyword)
        if (!isSync || !ts.isCallExpression(call) || !ts.isPropertyAccessExpression(call.expression))
          return false
        if (!atOnce.has(call.expression.name.text)) return false
      }
    const isAsync = isFunction(body) && body.modifiers?.some((m) => m.kind === ts.SyntaxKind.AsyncKeyword)
    return !isAsync
  }
  const isRepeated = (node: Node): boolean => {
    for (let n: Node = node.parent; n && n !== body; n = n.parent)
      if (ts.isIterationStatement(n, false) || isFunction(n)) return true
    return false
  }

  const outerName = (
    object: TypeScript.Expression,
  ): { name: TypeScript.Identifier; declaration: TypeScript.Declaration } | undefined => {
    const name = bare(object)
    const declaration = ts.isIdentifier(name) ? tree.declarationOf(name) : undefined
    if (!declaration || isTurns(declaration) || !ofFunction(declaration) || !isVariable(declaration))
      return undefined
    return { name: name as TypeScript.Identifier, declaration }
  }

  const contain = (node: Node, object: TypeScript.Expression, kind: Container): boolean => {
    const outer = outerName(object)
    if (!outer) return false
    const before = containers.get(outer.declaration)
    if (before !== undefined && before !== kind) {
      refuse(node, `changes '${outer.name.text}' in more than one way`)
      changes.set(outer.name, outer.declaration)
      return true
    }
    if (!inTurn(node)) {
      refuse(node, `changes '${outer.name.text}' in a function that may run at another time`)
      return true
    }
    containers.set(outer.declaration, kind)
    changes.set(outer.name, outer.declaration)
    return true
  }

  /** `out.push(e)`, `set.add(e)`, `map.set(k, e)`, `out[i] = e`, each as a statement. */
  const takeContainer = (node: Node): boolean => {
    if (!isStatement(node)) return false
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const kind = containerMethods[node.expression.name.text]
      const optional = node.questionDotToken ?? node.expression.questionDotToken
      return kind !== undefined && !optional && contain(node, node.expression.expression, kind)
    }
    return (
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
      ts.isElementAccessExpression(bare(node.left)) &&
      contain(node, (bare(node.left) as TypeScript.ElementAccessExpression).expression, 'index')
    )
  }

  const fold = (
    node: TypeScript.Expression,
    name: TypeScript.Identifier,
    op: string,
    value: TypeScript.Expression | undefined,
    also: Node[],
  ): boolean => {
    const outer = outerName(name)
    if (!outer || !isFoldOperator(op)) return false
    if (!inTurn(node)) {
      refuse(node, `changes '${name.text}' in a function that may run at another time`)
      return true
    }
    const byOne = value === undefined || ts.isNumericLiteral(bare(value))
    if (isRepeated(node) && !byOne) {
      refuse(node, `adds to '${name.text}' in a loop of its own: add up in a variable of the turn first`)
      return true
    }
    sites.push({ site: folds.length, statement: node, ...(value && { value }) })
    folds.push({ name: name.text, op })
    reductions.set(outer.declaration, true)
    for (const one of [name, ...also]) changes.set(one, outer.declaration)
    return true
  }

  const takeFold = (node: Node): boolean => {
    if (!isStatement(node)) return false
    if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
      const name = bare(node.operand)
      const op = node.operator === ts.SyntaxKind.PlusPlusToken ? '++' : '--'
      return ts.isIdentifier(name) && fold(node, name, op, undefined, [])
    }
    if (!ts.isBinaryExpression(node)) return false
    const name = bare(node.left)
    if (!ts.isIdentifier(name)) return false
    const isSame = (other: Node) =>
      ts.isIdentifier(other) && tree.declarationOf(other) === tree.declarationOf(name)
    if (node.operatorToken.kind !== ts.SyntaxKind.EqualsToken)
      return fold(node, name, text(node.operatorToken), node.right, [])
    const value = bare(node.right)
    if (ts.isBinaryExpression(value) && isSame(bare(value.left)))
      return fold(node, name, `${text(value.operatorToken)}=`, value.right, [bare(value.left)])
    if (ts.isCallExpression(value) && value.arguments.length === 2) {
      const [first, second] = value.arguments as unknown as [TypeScript.Expression, TypeScript.Expression]
      const op = { 'Math.max': 'max', 'Math.min': 'min' }[text(value.expression)]
      if (op && isSame(bare(first))) return fold(node, name, op, second, [bare(first)])
      if (op && isSame(bare(second))) return fold(node, name, op, first, [bare(second)])
    }
    return false
  }

  const describe = (name: TypeScript.Identifier): string => {
    const declaration = tree.declarationOf(name)
    if (!declaration) return `the global '${name.text}'`
    if (isElement(declaration)) return `the loop element '${name.text}'`
    return ofFunction(declaration) ? `'${name.text}'` : `captured '${name.text}'`
  }

  for (const effect of effects.of(body, tree)) {
    const { node } = effect
    if (effect.kind === 'warning') {
      if (!warnings.includes(effect.why)) warnings.push(effect.why)
      continue
    }
    if (effect.kind === 'unknown') {
      refuse(node, effect.why)
      continue
    }
    if (takeContainer(node) || takeFold(node)) continue
    if (effect.kind === 'assign') {
      const declaration = tree.declarationOf(effect.name)
      if (declaration && contains(body, declaration)) continue
      if (declaration && isElement(declaration)) {
        if (form.counting) refuse(node, `changes the loop variable '${effect.name.text}'`)
        continue
      }
      const isOuter = declaration && ofFunction(declaration)
      if (isOuter && declaration) assigned.set(effect.name, declaration)
      refuse(
        node,
        isOuter
          ? `writes '${effect.name.text}', which one turn leaves to the next`
          : `writes ${describe(effect.name)}`,
      )
      continue
    }
    for (const origin of originsOf(effect.object, tree, body)) {
      if (origin === 'fresh') continue
      if (origin === 'this') refuse(node, `${effect.how} 'this'`)
      else if (origin === 'unknown')
        refuse(node, `${effect.how} '${short(text(effect.object))}', which may be held elsewhere`)
      else {
        const declaration = tree.declarationOf(origin)
        const own = declaration && contains(body, declaration) && !isElement(declaration)
        refuse(
          node,
          own
            ? `${effect.how} '${origin.text}', which may be the loop element, or something that outlives the turn`
            : `${effect.how} ${describe(origin)}`,
        )
      }
    }
  }

  const written = new Map<TypeScript.Declaration, string>()
  for (const [name, declaration] of assigned) {
    written.set(declaration, name.text)
    changes.set(name, declaration)
  }
  for (const declaration of [...containers.keys(), ...reductions.keys()])
    written.set(declaration, text((declaration as TypeScript.VariableDeclaration).name))
  for (const declaration of reductions.keys())
    if (containers.has(declaration))
      refuse(body, `changes '${written.get(declaration)}' in more than one way`)

  const label = ts.isLabeledStatement(form.node.parent) ? form.node.parent.label.text : undefined
  walk(body, (node) => {
    if (ts.isIdentifier(node) && isReference(node) && !changes.has(node)) {
      const declaration = tree.declarationOf(node)
      const name = declaration && written.get(declaration)
      if (name !== undefined) refuse(node, `reads '${name}' while the loop writes it`)
      if (node.text === 'arguments' && !declaration) refuse(node, `uses 'arguments'`)
    }
    if (node.kind === ts.SyntaxKind.ThisKeyword && !ownThis(node, body)) self = true
    if (ts.isYieldExpression(node) && !functionBetween(node, body))
      refuse(node, '`yield` leaves the loop in its middle')
    if (isFunction(body)) return undefined
    if (ts.isReturnStatement(node) && !functionBetween(node, body))
      refuse(node, '`return` ends the loop early')
    if (ts.isBreakStatement(node) && endsLoop(node, body, label)) refuse(node, '`break` ends the loop early')
    if (
      ts.isContinueStatement(node) &&
      node.label &&
      node.label.text !== label &&
      !labelled(node, node.label.text, body)
    )
      refuse(node, '`continue` of an outer loop ends this one early')
    if (
      ts.isVariableDeclarationList(node) &&
      (node.flags & ts.NodeFlags.BlockScoped) === 0 &&
      !functionBetween(node, body)
    )
      refuse(node, 'declares a `var`, which outlives the turn')
    return undefined
  })
  // What the function's own functions read, the turn that calls them reads.
  const looked = new Set<Node>()
  const look = (root: Node, call: Node | undefined, name: string): void =>
    walk(root, (node) => {
      if (!ts.isIdentifier(node) || !isReference(node)) return undefined
      const declaration = tree.declarationOf(node)
      const read = declaration && written.get(declaration)
      if (call && read !== undefined)
        refuse(call, `calls '${name}', which reads '${read}' while the loop writes it`)
      if (!declaration || !ofFunction(declaration) || contains(body, declaration) || looked.has(declaration))
        return undefined
      const isOwn =
        isFunction(declaration) || (ts.isVariableDeclaration(declaration) && declaration.initializer)
      if (!isOwn) return undefined
      const inner = isFunction(declaration)
        ? declaration
        : bare((declaration as TypeScript.VariableDeclaration).initializer!)
      if (!isFunction(inner)) return undefined
      looked.add(declaration)
      look(inner, call ?? node, call ? name : node.text)
      return undefined
    })
  look(body, undefined, '')
  for (const head of form.head)
    walk(head, (node) => {
      const declaration = ts.isIdentifier(node) && isReference(node) ? tree.declarationOf(node) : undefined
      const name = declaration && written.get(declaration)
      if (name !== undefined)
        refuse(
          head,
          form.counting
            ? `its bound depends on '${name}', which the loop changes`
            : `iterates over '${name}' while writing it`,
        )
      return undefined
    })
  return { ...(why && { why }), warnings, containers, folds, sites, self }
}

/** One of the function's own variables; not a function or class declared in it. */
function isVariable(declaration: Node): boolean {
  const ts = typescript()
  return (
    ts.isVariableDeclaration(declaration) || ts.isParameter(declaration) || ts.isBindingElement(declaration)
  )
}

function functionBetween(node: Node, outer: Node): boolean {
  for (let n = node.parent; n && n !== outer; n = n.parent) if (isFunction(n)) return true
  return false
}

/** `this` of a function of its own. */
function ownThis(node: Node, outer: Node): boolean {
  const ts = typescript()
  for (let n = node; n && n !== outer.parent; n = n.parent)
    if ((isFunction(n) && !ts.isArrowFunction(n)) || ts.isClassLike(n)) return true
  return false
}

function endsLoop(node: TypeScript.BreakStatement, body: Node, label: string | undefined): boolean {
  const ts = typescript()
  if (functionBetween(node, body)) return false
  if (node.label) return node.label.text === label || !labelled(node, node.label.text, body)
  for (let n: Node = node.parent; n; n = n.parent) {
    if (ts.isIterationStatement(n, false) || ts.isSwitchStatement(n)) return false
    if (n === body) return true
  }
  return true
}

/** Whether the label stands within the turn. */
function labelled(node: Node, label: string, body: Node): boolean {
  const ts = typescript()
  for (let n: Node = node.parent; n; n = n.parent) {
    if (ts.isLabeledStatement(n) && n.label.text === label) return true
    if (n === body) return false
  }
  return false
}
