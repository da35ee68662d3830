/** Compiles only when both types are the same. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Holds that a value has exactly this type: `is<number>()(await f(1))`. */
export const is =
  <Expected>() =>
  <Actual>(_: Actual, ..._same: Same<Expected, Actual> extends true ? [] : [never]): void => {}
