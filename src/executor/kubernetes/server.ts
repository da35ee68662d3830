/** What the server can do, by its version. */
import { type Api, explained } from './api.ts'

export interface Version {
  readonly major?: string
  /** Of managed services with a plus: '29+'. */
  readonly minor?: string
}

/** Whether a failed index of an Indexed Job is its own matter there: on by default since 1.29 (https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index). */
export function hasOwnIndexes({ major = '', minor = '' }: Version): boolean {
  const [first, second] = [Number.parseInt(major, 10), Number.parseInt(minor, 10)]
  return first > 1 || (first === 1 && second >= 29)
}

/** Any account may ask that. */
export async function versionOf(api: Api): Promise<Version> {
  return api.ask<Version>('GET', '/version').catch((error) => {
    throw explained(error, 'asking for the version of the server')
  })
}
