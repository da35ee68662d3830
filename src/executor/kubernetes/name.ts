/** No dialect of commands, but an API of its own. */
export function isKubernetes(scheduler: string): boolean {
  return /^(kubernetes|k8s)$/i.test(scheduler)
}
