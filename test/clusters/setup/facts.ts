/** What of a server can be told to another process: everything but its functions. */
export type Facts<T> = T extends (...args: never[]) => unknown
  ? never
  : T extends readonly unknown[] | string | number | boolean
    ? T
    : { readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : K]: Facts<T[K]> }

export function facts<T>(server: T): Facts<T> {
  return JSON.parse(JSON.stringify(server)) as Facts<T>
}
