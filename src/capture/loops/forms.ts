import type { ts as TypeScript } from 'ts-morph'
import { typescript } from '../analyze/syntax.ts'
import { bare, isFunction, isReference, type Node, type Tree, walk } from './tree.ts'

/** A loop as it is written. */
export interface Form {
  readonly kind: 'for…of' | 'for' | 'map' | 'while' | 'do' | 'for…in' | 'for await'
  readonly node: Node
  /** What each turn runs: a statement, or the callback of map. */
  readonly body: Node
  /** What says which turns there are. */
  readonly head: readonly TypeScript.Expression[]
  /** Where the turn's own names are declared. */
  readonly names: readonly Node[]
  readonly counting?: Counting
  readonly mapping?: { readonly receiver: TypeScript.Expression; readonly awaits: boolean }
  /** Why it can never be split. */
  readonly why?: string
}

export interface Counting {
  readonly name: TypeScript.Identifier
  readonly first: TypeScript.Expression
  readonly op: string
  readonly bound: TypeScript.Expression
  /** Its text, with its sign. */
  readonly step: string
}

/** The loop that a node is, if it is one. */
export function formOf(node: Node, tree: Tree): Form | undefined {
  const ts = typescript()
  if (ts.isForOfStatement(node)) return forOf(node)
  if (ts.isForStatement(node)) return counted(node, tree)
  const rest = { node, head: [], names: [] }
  if (ts.isForInStatement(node))
    return {
      ...rest,
      kind: 'for…in',
      body: node.statement,
      why: 'it goes over keys: take Object.keys() with for…of',
    }
  if (ts.isWhileStatement(node))
    return { ...rest, kind: 'while', body: node.statement, why: 'a `while` loop has no list of turns' }
  if (ts.isDoStatement(node))
    return { ...rest, kind: 'do', body: node.statement, why: 'a `do` loop has no list of turns' }
  return ts.isCallExpression(node) ? mapCall(node, tree) : undefined
}

function forOf(node: TypeScript.ForOfStatement): Form {
  const ts = typescript()
  const form = {
    kind: node.awaitModifier ? 'for await' : 'for…of',
    node,
    body: node.statement,
    head: [node.expression],
    names: [node.initializer],
  } as const
  if (node.awaitModifier) return { ...form, why: 'it waits for each item: `for await` has no list of turns' }
  const list = node.initializer
  if (!ts.isVariableDeclarationList(list) || (list.flags & ts.NodeFlags.BlockScoped) === 0)
    return { ...form, why: 'its variable outlives the turn: declare it with const' }
  if ((list.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using)
    return { ...form, why: 'it disposes of its items' }
  return form
}

function counted(node: TypeScript.ForStatement, tree: Tree): Form {
  const ts = typescript()
  const form = {
    kind: 'for',
    node,
    body: node.statement,
    head: [],
    names: node.initializer ? [node.initializer] : [],
  } as const
  const refuse = (why: string): Form => ({ ...form, why })
  const { initializer: list, condition, incrementor } = node
  if (!list || !ts.isVariableDeclarationList(list) || (list.flags & ts.NodeFlags.Let) === 0)
    return refuse('it does not count a variable of its own: for (let i = …; i < …; i++)')
  const [declaration, other, ...more] = list.declarations
  if (!declaration || more.length > 0 || !ts.isIdentifier(declaration.name) || !declaration.initializer)
    return refuse('it does not count one variable of its own: for (let i = …; i < …; i++)')
  const name = declaration.name
  const isName = (expression: TypeScript.Expression) =>
    ts.isIdentifier(bare(expression)) && bare(expression).getText(tree.source) === name.text
  if (!condition || !ts.isBinaryExpression(condition) || !isName(condition.left))
    return refuse(`its condition is not one that counts '${name.text}'`)
  const op = condition.operatorToken.getText(tree.source)
  if (!['<', '<=', '>', '>='].includes(op))
    return refuse(`its condition does not compare '${name.text}' with <, <=, > or >=`)
  let bound: TypeScript.Expression = condition.right
  if (other) {
    if (
      !ts.isIdentifier(other.name) ||
      !other.initializer ||
      !ts.isIdentifier(bound) ||
      bound.text !== other.name.text
    )
      return refuse(`it has a second variable, '${other.name.getText(tree.source)}'`)
    if (mentions(node.statement, other, tree) || mentions(other.initializer, declaration, tree))
      return refuse(`it has a second variable, '${other.name.text}', that it uses`)
    bound = other.initializer
  }
  const step = incrementor && stepOf(incrementor, isName, tree)
  if (step === undefined) return refuse(`it does not step '${name.text}' by the same amount each time`)
  if (mentions(bound, declaration, tree) || (step.by && mentions(step.by, declaration, tree)))
    return refuse(`its bound changes with '${name.text}'`)
  const head = [declaration.initializer, bound, ...(step.by ? [step.by] : [])]
  const complex = head.find((one) => !isStill(one))
  if (complex) return refuse(`'${complex.getText(tree.source)}' may give another value at each turn`)
  return { ...form, head, counting: { name, first: declaration.initializer, op, bound, step: step.text } }
}

function stepOf(
  node: TypeScript.Expression,
  isName: (expression: TypeScript.Expression) => boolean,
  tree: Tree,
): { text: string; by?: TypeScript.Expression } | undefined {
  const ts = typescript()
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    if (!isName(node.operand)) return undefined
    if (node.operator === ts.SyntaxKind.PlusPlusToken) return { text: '1' }
    return node.operator === ts.SyntaxKind.MinusMinusToken ? { text: '-1' } : undefined
  }
  if (!ts.isBinaryExpression(node) || !isName(node.left)) return undefined
  const by = node.right.getText(tree.source)
  if (node.operatorToken.kind === ts.SyntaxKind.PlusEqualsToken) return { text: `(${by})`, by: node.right }
  if (node.operatorToken.kind === ts.SyntaxKind.MinusEqualsToken) return { text: `-(${by})`, by: node.right }
  return undefined
}

/** Names, members, numbers and what is reckoned with them: to be asked twice, or once instead of at each turn. */
function isStill(given: TypeScript.Expression): boolean {
  const ts = typescript()
  const node = bare(given)
  if (ts.isNumericLiteral(node) || ts.isBigIntLiteral(node) || ts.isIdentifier(node)) return true
  if (node.kind === ts.SyntaxKind.ThisKeyword) return true
  if (ts.isPropertyAccessExpression(node)) return isStill(node.expression)
  if (ts.isPrefixUnaryExpression(node))
    return (
      [ts.SyntaxKind.MinusToken, ts.SyntaxKind.PlusToken].includes(node.operator) && isStill(node.operand)
    )
  if (ts.isElementAccessExpression(node)) return isStill(node.expression) && isStill(node.argumentExpression)
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken
    const isArithmetic = kind >= ts.SyntaxKind.PlusToken && kind <= ts.SyntaxKind.PercentToken
    return isArithmetic && isStill(node.left) && isStill(node.right)
  }
  if (ts.isCallExpression(node))
    return (
      /^Math\.\w+$/.test(node.expression.getText()) &&
      node.expression.getText() !== 'Math.random' &&
      node.arguments.every(isStill)
    )
  return false
}

export function mentions(within: Node, declaration: Node, tree: Tree): boolean {
  const ts = typescript()
  let found = false
  walk(within, (node) => {
    found ||= ts.isIdentifier(node) && isReference(node) && tree.declarationOf(node) === declaration
    return undefined
  })
  return found
}

/** `xs.map((x, i) => …)`, with Promise.all around it perhaps. */
function mapCall(node: TypeScript.CallExpression, tree: Tree): Form | undefined {
  const ts = typescript()
  if (!ts.isPropertyAccessExpression(node.expression) || node.expression.name.text !== 'map') return undefined
  const [callback, ...more] = node.arguments
  if (!callback || !isFunction(callback)) return undefined
  const receiver = node.expression.expression
  const around = node.parent
  const awaits =
    ts.isCallExpression(around) &&
    around.arguments[0] === node &&
    around.expression.getText(tree.source) === 'Promise.all'
  const form = {
    kind: 'map',
    node,
    body: callback,
    head: [receiver],
    names: callback.parameters,
    mapping: { receiver, awaits },
  } as const
  if (more.length > 0) return { ...form, why: 'it gives map a `this`' }
  if (node.questionDotToken || node.expression.questionDotToken)
    return { ...form, why: 'there may be nothing to map' }
  if (callback.asteriskToken) return { ...form, why: 'its callback is a generator' }
  if (callback.parameters.length > 2 || callback.parameters.some((p) => p.dotDotDotToken))
    return { ...form, why: 'its callback takes the whole array' }
  const isAsync = callback.modifiers?.some((m) => m.kind === ts.SyntaxKind.AsyncKeyword) ?? false
  if (isAsync && !awaits)
    return { ...form, why: 'its promises are not awaited at once: put Promise.all around it' }
  return form
}
