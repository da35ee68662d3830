import type { JobId } from './ids.ts'

/** What decides which Node starts on a machine, as its own shell found it. */
export interface NodePlatform {
  readonly host: string
  /** What `uname -m` says: x86_64, aarch64 … */
  readonly arch: string
  /** '2.28'; '' where there is no glibc. */
  readonly glibc: string
  readonly musl: boolean
  /** '6.0.30', of libstdc++.so.6; '' where it was not found. */
  readonly stdcxx: string
}

/** How a job came to its Node, and so the next one at the same place may. */
export type InterpreterSource =
  | { readonly from: 'path' }
  | { readonly from: 'module'; readonly module: string }
  /** One that farcall sent; `folder` is its name below <workdir>/node/. */
  | { readonly from: 'runtime'; readonly platform: NodePlatform; readonly folder?: string }

/** What a member's end tells of its Node. */
export interface InterpreterFacts {
  /** 'path', 'module:nodejs/20' or 'runtime' */
  readonly from?: string
  /** process.versions.modules, which native add-ons are built for. */
  readonly abi?: string
  readonly platform?: NodePlatform
  /** The member has waited for a Node, and nobody sent one: whoever follows the job next sends it, and tries again. */
  readonly awaited?: boolean
}

/** A member waits for a Node: it has found none that will do. */
export interface NodeNeed {
  readonly protocol: number
  readonly id: JobId
  readonly attempt: number
  readonly member: number
  readonly platform: NodePlatform
  /** Folders below <workdir>/node/ whose Node does not start there, between spaces. */
  readonly unfit: string
  /** What was looked at, in words. */
  readonly missed: string
}
