import type { ts as TypeScript } from 'ts-morph'
import type { Container, LoopPlan } from '../../core/loops/plan.ts'
import { typescript } from '../analyze/syntax.ts'
import { type BodyFindings, readBody } from './body.ts'
import type { Effects } from './effects.ts'
import { originsOf } from './effects.ts'
import { type Form, formOf } from './forms.ts'
import { isLight } from './light.ts'
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

/** One loop of a function, and what becomes of it. */
export interface Judged {
  readonly form: Form
  /** Undefined: it is split. */
  readonly why?: { readonly node: Node; readonly text: string }
  readonly warnings: readonly string[]
  readonly findings?: BodyFindings
  /** The statement of the function's own body that it is, or stands in. */
  readonly statement?: Piece
  /** Stands in another loop, or where only a part of the function's calls come. */
  readonly inner: boolean
}

/** A statement at the top of the function, or all that an arrow gives. */
export type Piece = TypeScript.Statement | TypeScript.Expression

/** What a function's text is made of, seen from its loops. */
export interface Layout {
  readonly fn: FunctionLike
  readonly statements: readonly Piece[]
  readonly split: readonly (Judged & { readonly index: number })[]
}

/** Every loop of a function, in the order of the text, with the verdict. */
export function judge(
  fn: FunctionLike,
  tree: Tree,
  effects: { readonly body: Effects; readonly around: Effects },
): { readonly judged: readonly Judged[]; readonly layout: Layout } {
  const ts = typescript()
  const { body } = fn
  const statements: readonly Piece[] =
    body === undefined ? [] : ts.isBlock(body) ? [...body.statements] : [body]
  const forms = formsIn(fn, tree)
  const whole = objectionTo(fn, statements)
  const judged = forms.map(({ form, around }): Judged => {
    const index = statements.findIndex((one) => contains(one, form.node))
    const statement = statements[index]
    const inner = around !== undefined
    if (whole) return { form, why: whole, warnings: [], inner }
    if (around) return { form, why: { node: form.node, text: around }, warnings: [], inner }
    const misplaced =
      statement === undefined ? 'stands in a parameter' : placeObjection(form, statement, fn, tree)
    if (misplaced !== undefined)
      return { form, why: { node: form.node, text: misplaced }, warnings: [], inner }
    if (form.why !== undefined) return { form, why: { node: form.node, text: form.why }, warnings: [], inner }
    const findings = readBody(form, fn, tree, effects.body)
    const { why, warnings } = findings
    return { form, ...(why && { why }), warnings, findings, statement: statement!, inner }
  })
  const settled = sparing(judged, fn, tree)
  const last = settled.findLast((one) => !one.why)
  const trouble = last && segmentObjection(fn, statements, last, tree, effects.around)
  const final = trouble ? settled.map((one) => (one.why ? one : { ...one, why: trouble })) : settled
  const split = final.flatMap((one) =>
    one.why || !one.statement ? [] : [{ ...one, index: statements.indexOf(one.statement) }],
  )
  return { judged: final, layout: { fn, statements, split } }
}

/** Loops of the function itself, not of functions in it but callbacks of a map; those in another one with a reason. */
function formsIn(fn: FunctionLike, tree: Tree): { form: Form; around?: string }[] {
  const ts = typescript()
  const found: { form: Form; around?: string }[] = []
  const visit = (node: Node, around: string | undefined): void => {
    if (ts.isTypeNode(node)) return
    const form = formOf(node, tree)
    if (form) {
      found.push(around === undefined ? { form } : { form, around })
      const inside = `stands in the loop of line ${tree.line(node)}: only the outer one is looked at`
      ts.forEachChild(node, (child) => visit(child, inside))
      return
    }
    if (isFunction(node) || ts.isClassLike(node)) {
      const inside = around ?? 'stands in a function of its own'
      ts.forEachChild(node, (child) => visit(child, inside))
      return
    }
    ts.forEachChild(node, (child) => visit(child, around))
  }
  ts.forEachChild(fn, (child) => visit(child, undefined))
  return found
}

/** What keeps every loop of the function as it is. */
function objectionTo(fn: FunctionLike, statements: readonly Piece[]): Judged['why'] {
  const ts = typescript()
  if (fn.asteriskToken) return { node: fn, text: 'the function is a generator' }
  if (fn.parameters.length > 30) return { node: fn, text: 'the function has more than 30 parameters' }
  let why: Judged['why']
  walk(fn, (node) => {
    if (why) return false
    if (ts.isIdentifier(node) && node.text === 'arguments' && isReference(node))
      why = { node, text: `the function uses 'arguments'` }
    if (ts.isParameter(node) && node.parent === fn)
      walk(node, (one) => {
        if (ts.isComputedPropertyName(one)) why = { node: one, text: 'a parameter has a computed name in it' }
        return undefined
      })
    if (ts.isVariableDeclarationList(node)) {
      const flags = node.flags & ts.NodeFlags.BlockScoped
      if (
        (node.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using ||
        (node.flags & ts.NodeFlags.AwaitUsing) === ts.NodeFlags.AwaitUsing
      )
        why = { node, text: 'the function disposes of a value (`using`)' }
      else if (flags === 0 && !statements.includes(node.parent as Piece) && !inner(node, fn))
        why = { node, text: 'a `var` stands deeper than the variables of the function' }
    }
    if (ts.isClassDeclaration(node) && statements.includes(node as Piece))
      why = { node, text: `declares the class '${node.name?.text ?? ''}', whose objects cannot travel` }
    if ((ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node)) && statements.includes(node as Piece))
      why = { node, text: 'declares an enum in the function' }
    return undefined
  })
  return why
}

function inner(node: Node, fn: Node): boolean {
  for (let n = node.parent; n && n !== fn; n = n.parent) if (isFunction(n)) return true
  return false
}

/** Why a loop does not stand where the function can be left and gone on with. */
function placeObjection(form: Form, statement: Node, fn: FunctionLike, tree: Tree): string | undefined {
  const ts = typescript()
  if (form.kind !== 'map') {
    const own = ts.isLabeledStatement(statement) ? statement.statement : statement
    if (own === form.node) return undefined
    const around = ts.findAncestor(form.node.parent, (n) => !ts.isBlock(n))!
    const word = ts.isIfStatement(around)
      ? 'an `if`'
      : ts.isTryStatement(around) || ts.isCatchClause(around)
        ? 'a `try`'
        : 'a block'
    return `stands in ${word}: only a loop at the top of the function is split`
  }
  for (let child = form.node; child !== statement; child = child.parent) {
    const { parent } = child
    const before = siblingsBefore(parent, child)
    if (!before?.every((one) => isMention(one) || isLight(one, fn, tree)))
      return 'its statement does something else before it, or with it'
  }
  return undefined
}

/** `Study.mean`: nothing runs. */
function isMention(node: Node): boolean {
  const ts = typescript()
  return ts.isIdentifier(node) || (ts.isPropertyAccessExpression(node) && isMention(node.expression))
}

/** What runs before a part of an expression or statement; undefined: the part may run not at all, or more than once. */
function siblingsBefore(parent: Node, child: Node): readonly Node[] | undefined {
  const ts = typescript()
  const upTo = <T extends Node>(list: readonly T[]) => list.slice(0, list.indexOf(child as T))
  if (
    ts.isParenthesizedExpression(parent) ||
    ts.isAsExpression(parent) ||
    ts.isSatisfiesExpression(parent) ||
    ts.isNonNullExpression(parent) ||
    ts.isAwaitExpression(parent) ||
    ts.isSpreadElement(parent) ||
    ts.isSpreadAssignment(parent) ||
    ts.isReturnStatement(parent) ||
    ts.isExpressionStatement(parent) ||
    ts.isVariableStatement(parent) ||
    ts.isPropertyAssignment(parent)
  )
    return []
  if (ts.isPropertyAccessExpression(parent)) return parent.questionDotToken ? undefined : []
  if (ts.isElementAccessExpression(parent)) return parent.expression === child ? [] : undefined
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) {
    if (parent.expression === child) return []
    return [parent.expression, ...upTo(parent.arguments ?? [])]
  }
  if (ts.isBinaryExpression(parent)) {
    const { kind } = parent.operatorToken
    if (kind === ts.SyntaxKind.EqualsToken)
      return parent.right === child && ts.isIdentifier(bare(parent.left)) ? [] : undefined
    return parent.left === child ? [] : undefined
  }
  if (ts.isArrayLiteralExpression(parent)) return upTo(parent.elements)
  if (ts.isObjectLiteralExpression(parent)) return upTo(parent.properties)
  if (ts.isVariableDeclarationList(parent)) return upTo(parent.declarations)
  if (ts.isVariableDeclaration(parent)) return []
  return undefined
}

/** Beside a loop with real work in it, one that only reads and reckons is not worth a job. */
function sparing(judged: readonly Judged[], fn: FunctionLike, tree: Tree): readonly Judged[] {
  const open = judged.filter((one) => !one.why)
  const light = open.filter((one) => isLight(bodyOf(one.form), fn, tree))
  if (light.length === 0 || light.length === open.length) return judged
  return judged.map((one) =>
    light.includes(one)
      ? { ...one, why: { node: one.form.node, text: 'its turns do too little beside those of another loop' } }
      : one,
  )
}

function bodyOf({ body }: Form): Node {
  return isFunction(body) && body.body ? body.body : body
}

/** What runs before the last loop must leave nothing behind but the function's own variables. */
function segmentObjection(
  fn: FunctionLike,
  statements: readonly Node[],
  last: Judged,
  tree: Tree,
  effects: Effects,
): Judged['why'] {
  const ts = typescript()
  const end = last.statement!.end
  for (const statement of [...fn.parameters, ...statements]) {
    if (statement.pos >= end || statement === last.statement) break
    if (isKept(statement)) continue
    for (const effect of effects.of(statement, tree)) {
      const { node } = effect
      const before = 'the code before it '
      if (effect.kind === 'unknown' && !effect.why.includes('of farcall'))
        return { node, text: `${before}${effect.why}` }
      if (effect.kind === 'assign') {
        const declaration = tree.declarationOf(effect.name)
        if (!declaration || !contains(fn, declaration))
          return { node, text: `${before}writes '${effect.name.text}', which is not the function's own` }
      }
      if (effect.kind !== 'change') continue
      const { root } = rootOf(effect.object)
      const changed = ts.isIdentifier(root) ? tree.declarationOf(root) : undefined
      if (changed && statements.some((one) => isKept(one) && contains(one, changed)))
        return {
          node,
          text: `${before}${effect.how} the function '${root.getText(tree.source)}', of which each piece has its own`,
        }
      for (const origin of originsOf(effect.object, tree, fn)) {
        if (origin === 'this' && (!ts.isMethodDeclaration(fn) || isStatic(fn)))
          return { node, text: `${before}${effect.how} its class, of which each piece has its own` }
        if (typeof origin === 'string') continue
        const declaration = tree.declarationOf(origin)
        if (!declaration || !contains(fn, declaration))
          return { node, text: `${before}${effect.how} '${origin.text}', which is not the function's own` }
      }
    }
  }
  return undefined
}

const isStatic = (fn: FunctionLike): boolean =>
  fn.modifiers?.some((m) => m.kind === typescript().SyntaxKind.StaticKeyword) ?? false

/** Functions stay code in every piece, as directives do. */
export function isKept(statement: Node): boolean {
  const ts = typescript()
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  )
    return true
  if (ts.isExpressionStatement(statement) && ts.isStringLiteral(statement.expression)) return true
  return (
    ts.isVariableStatement(statement) &&
    (statement.declarationList.flags & ts.NodeFlags.Const) !== 0 &&
    statement.declarationList.declarations.every((d) => d.initializer && isFunction(bare(d.initializer)))
  )
}

/** Names of the function's variables that pieces hand on, up to a statement. */
export function variablesUpTo(
  { fn, statements }: Layout,
  index: number,
  parameters: readonly TypeScript.ParameterDeclaration[] = [...fn.parameters],
): Map<TypeScript.Declaration, string> {
  const ts = typescript()
  const found = new Map<TypeScript.Declaration, string>()
  const add = (name: TypeScript.BindingName, declaration: TypeScript.Declaration): void => {
    if (ts.isIdentifier(name)) found.set(declaration, name.text)
    else for (const element of name.elements) if (!ts.isOmittedExpression(element)) add(element.name, element)
  }
  for (const parameter of parameters) if (parameter.name.getText() !== 'this') add(parameter.name, parameter)
  for (const statement of statements.slice(0, index))
    if (ts.isVariableStatement(statement) && !isKept(statement))
      for (const declaration of statement.declarationList.declarations) add(declaration.name, declaration)
  return found
}

/** Which of them a piece of code uses, by itself or by the function's own functions that it calls. */
export function usedIn(
  roots: readonly Node[],
  variables: ReadonlyMap<TypeScript.Declaration, string>,
  layout: Layout,
  tree: Tree,
): Set<string> {
  const ts = typescript()
  const used = new Set<string>()
  const seen = new Set<Node>()
  const look = (root: Node): void => {
    if (seen.has(root)) return
    seen.add(root)
    walk(root, (node) => {
      if (!ts.isIdentifier(node) || !(isReference(node) || isAssigned(node))) return undefined
      const declaration = tree.declarationOf(node)
      const name = declaration && variables.get(declaration)
      if (name !== undefined) used.add(name)
      else if (declaration && contains(layout.fn, declaration)) {
        const kept = layout.statements.find((one) => isKept(one) && contains(one, declaration))
        if (kept) look(kept)
      }
      return undefined
    })
  }
  for (const root of roots) look(root)
  return used
}

function isAssigned(node: TypeScript.Identifier): boolean {
  return typescript().isShorthandPropertyAssignment(node.parent)
}

/** What is told to the pieces about one loop. */
export function planOf(judged: Layout['split'][number], layout: Layout, place: string, tree: Tree): LoopPlan {
  const { form, findings, index } = judged
  const variables = variablesUpTo(layout, index)
  const used = (roots: readonly Node[]) => [...usedIn(roots, variables, layout, tree)].sort()
  const containers: Record<string, Container> = {}
  for (const [declaration, kind] of findings!.containers) containers[variables.get(declaration)!] = kind
  return {
    place,
    form: form.kind === 'map' ? 'map' : 'for',
    body: used([form.body, ...form.names]),
    head: used(form.head),
    containers,
    folds: findings!.folds,
    awaits: form.mapping?.awaits ?? false,
    self: findings!.self,
  }
}
