import { typescript } from '../analyze/syntax.ts'
import { type Effects, originsOf } from './effects.ts'
import { isKept, type Judged } from './layout.ts'
import { contains, type FunctionLike, type Node, rootOf, type Tree } from './tree.ts'

/** What runs before the last loop must leave nothing behind but the function's own variables. */
export function segmentObjection(
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
