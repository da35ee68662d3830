/** For promises whose failure is reported elsewhere. */
export function ignoreRejection(): void {}

/** Its failure is reported elsewhere; its value is not asked for. */
export function quiet(promise: Promise<unknown>): void {
  Promise.prototype.then.call(promise, undefined, ignoreRejection)
}
