import type { ts as TypeScript } from 'ts-morph'
import { typescript } from '../analyze/syntax.ts'
import type { BodyFindings } from './body.ts'
import type { Form } from './forms.ts'
import {
  bare,
  contains,
  type FunctionLike,
  isFunction,
  isReference,
  type Node,
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
  /** Stands in another loop or function, or is not worth a job beside another one: no call tells of it. */
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
