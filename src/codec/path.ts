/** One step into a value: a property, an index, or what a Map or Set holds. */
export type Step =
  | string
  | number
  | { readonly call: string; readonly key?: unknown; readonly index?: number }

/** 'argument 1.socket.handlers[3]', 'result.get("key")'. Long paths are shortened in the middle. */
export function formatPath(root: string, steps: readonly Step[]): string {
  const words = steps.map(formatStep)
  if (words.length > 40)
    return `${root}${words.slice(0, 20).join('')} … ${words.length - 30} more … ${words.slice(-10).join('')}`
  return root + words.join('')
}

function formatStep(step: Step): string {
  if (typeof step === 'number') return `[${step}]`
  if (typeof step === 'string')
    return /^#?[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step)
      ? `.${step}`
      : `[${JSON.stringify(shorten(step))}]`
  if (step.index !== undefined) return `.${step.call}()[${step.index}]`
  const { key } = step
  return `.${step.call}(${typeof key === 'string' ? JSON.stringify(shorten(key)) : String(key)})`
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
