import type { Container, LoopPlan } from '../../core/loops/plan.ts'
import { typescript } from '../analyze/syntax.ts'
import { readBody } from './body.ts'
import type { Effects } from './effects.ts'
import { type Form, formOf } from './forms.ts'
import { type Judged, type Layout, type Piece, usedIn, variablesUpTo } from './layout.ts'
import { isLight } from './light.ts'
import { objectionTo, placeObjection } from './placement.ts'
import { segmentObjection } from './segments.ts'
import { contains, type FunctionLike, isFunction, type Node, type Tree } from './tree.ts'

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

/** Beside a loop with real work in it, one that only reads and reckons is not worth a job. */
function sparing(judged: readonly Judged[], fn: FunctionLike, tree: Tree): readonly Judged[] {
  const open = judged.filter((one) => !one.why)
  const light = open.filter((one) => isLight(bodyOf(one.form), fn, tree))
  if (light.length === 0 || light.length === open.length) return judged
  return judged.map((one) =>
    light.includes(one)
      ? {
          ...one,
          why: { node: one.form.node, text: 'its turns do too little beside those of another loop' },
          inner: true,
        }
      : one,
  )
}

function bodyOf({ body }: Form): Node {
  return isFunction(body) && body.body ? body.body : body
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
