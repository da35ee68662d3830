import { positionOf, refusalOf, survey } from '../../capture/survey/survey.ts'
import type { Survey } from '../../capture/survey/types.ts'
import type { Bundle, PackageChoices } from '../../capture/types.ts'
import { oldestNode } from '../payload/node-seen.ts'
import { contentOf } from './content.ts'
import { newerApis } from './newer-apis.ts'
import type { Explanation, Warning } from './types.ts'

export interface ExplainOptions {
  /** Tells the size and content of the bundle. It is made in any case: esbuild may refuse too. */
  bundle?: boolean
  /** Major version of the Node that will run it. Default 16, the oldest that farcall runs on. */
  node?: number
  /** Those that are installed, or bundled, whatever they look like. */
  packages?: PackageChoices
  cacheDir?: string
}

/**
 * What every function that a file marks with cluster takes along, and what speaks against it. Reads text only:
 * nothing of the program runs, so values are not looked at.
 *
 * @param path absolute
 * @example const [first] = await explain('/home/ada/study.ts', { bundle: true }); first?.refusals
 */
export async function explain(path: string, options: ExplainOptions = {}): Promise<Explanation[]> {
  const explanations: Explanation[] = []
  for (const one of survey(path, options.cacheDir)) explanations.push(await explainOne(one, options))
  return explanations
}

async function explainOne(
  { texts, bundle: makeBundle, ...found }: Survey,
  { node = oldestNode, bundle: wanted, packages }: ExplainOptions,
): Promise<Explanation> {
  const refusals = [...found.refusals]
  let bundle: Bundle | undefined
  try {
    bundle = await makeBundle?.({ node, ...(packages && { packages }) })
  } catch (error) {
    refusals.push(refusalOf(error))
  }
  return {
    ...found,
    refusals,
    externals: (bundle?.packages ?? []).map(({ name, version, why }) => ({ name, version, why })),
    warnings: unique(texts.flatMap((text) => warningsIn(text, node))),
    ...(wanted && bundle && { bundle: { bytes: bundle.code.length, content: contentOf(bundle) } }),
  }
}

function warningsIn({ file, text, headerLines }: Survey['texts'][number], node: number): Warning[] {
  return newerApis(file, text, node).map(({ what, since, offset }) => {
    const { line, column } = positionOf(text, offset)
    return {
      at: { file, line: line - headerLines, column },
      message: `${what} needs Node ${since} or newer on the cluster`,
    }
  })
}

function unique(warnings: readonly Warning[]): Warning[] {
  const key = ({ at, message }: Warning) => `${at.file}:${at.line}:${at.column} ${message}`
  return [...new Map(warnings.map((warning) => [key(warning), warning])).values()]
}
