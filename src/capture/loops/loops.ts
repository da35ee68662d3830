import type { SplitPlan } from '../../core/loops/plan.ts'
import { typescript } from '../analyze/syntax.ts'
import type { Modules } from '../modules.ts'
import { blankExcept } from '../slice.ts'
import { placeName, type UserFile } from '../sources.ts'
import { Callees } from './callee.ts'
import { applyEdits, type Edit } from './edits.ts'
import { Effects } from './effects.ts'
import { editsFor, lightness } from './rewrite.ts'
import { judge, planOf } from './split.ts'
import { functionAt, treeOf } from './tree.ts'

/** How loops are looked at: 'strict' takes nothing to be pure that is not proven to be. */
export type Parallel = 'auto' | 'strict'

/** What becomes of one loop. */
export interface LoopVerdict {
  /** Offset in the text of its file. */
  readonly at: number
  readonly form: string
  readonly split: boolean
  /** Why it runs where it stands, and the offset of what keeps it from being split. */
  readonly reason?: string
  readonly because?: number
  readonly warnings: readonly string[]
  /** Stands in another loop or function: nobody asked for it by itself. */
  readonly inner: boolean
}

export interface SplitFunction {
  readonly plan: SplitPlan
  readonly edits: readonly Edit[]
  /** JavaScript that gives the function with nothing but its light segments in it; absent: there are none. */
  readonly light?: string
}

/** The loops of a function of a file, with a verdict for each, and how its text is split. */
export function findLoops(
  file: UserFile,
  { start, end }: { start: number; end: number },
  modules: Modules,
  parallel: Parallel,
): { verdicts: LoopVerdict[]; split?: SplitFunction } {
  const tree = treeOf(file)
  const fn = functionAt(tree, start, end)
  if (!fn) return { verdicts: [] }
  const callees = new Callees(modules)
  const effects = { body: new Effects(callees, parallel === 'strict'), around: new Effects(callees, false) }
  const { judged, layout } = judge(fn, tree, effects)
  const verdicts = judged.map(
    ({ form, why, warnings, inner }): LoopVerdict => ({
      at: form.node.getStart(tree.source),
      form: form.kind,
      split: why === undefined,
      ...(why && { reason: why.text, because: why.node.getStart(tree.source) }),
      warnings,
      inner,
    }),
  )
  if (layout.split.length === 0) return { verdicts }
  const plans = layout.split.map((one) =>
    planOf(one, layout, placeOf(file, one.form.node.getStart(tree.source)), tree),
  )
  const edits = editsFor(layout, plans, tree)
  const { light, without } = lightness(layout, tree)
  const plan: SplitPlan = { loops: plans, light }
  const text = light.includes(true) ? lightText(file, { start, end }, fn, edits, without) : undefined
  return { verdicts, split: { plan, edits, ...(text === undefined ? {} : { light: text }) } }
}

const placeOf = (file: UserFile, offset: number) => placeName(file, offset).replace(/:\d+$/, '')

/** The function alone, as JavaScript; what is not light in it is left out. */
function lightText(
  file: UserFile,
  { start, end }: { start: number; end: number },
  fn: ReturnType<typeof functionAt> & object,
  edits: readonly Edit[],
  without: readonly Edit[],
): string {
  const ts = typescript()
  // a guard that begins with what is left out stays around it
  const out = ({ at, text }: Edit) =>
    !without.some((one) => (text === ';(' ? one.at <= at : one.at < at) && at < one.end!)
  const decorators = file.analysis.functions.flatMap((f) => f.blank)
  const units = blankExcept(file.text, [[start, end]], decorators)
  // What is left out goes first: what is put in stays.
  applyEdits(units, [...without, ...edits.filter(out)])
  const own = units
    .slice(start, end + 1)
    .join('')
    .trim()
  const name = ts.isMethodDeclaration(fn) ? fn.name.getText() : ''
  const wrapped = ts.isMethodDeclaration(fn)
    ? `({${own.replace(/^(?:(?:public|private|protected|override|static)\s+)+/, '')}})${/^[\w$]+$/.test(name) ? `.${name}` : `[${name}]`}`
    : `(${own})`
  const { outputText } = ts.transpileModule(`export default (($farcallLoops)=>${wrapped})`, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true },
  })
  return outputText.replace(/^export default /, '').replace(/;\s*$/, '')
}
