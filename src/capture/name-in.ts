/** How a module's importer names this value of it: an export, 'default', or '*' for all of it. */
export function nameIn(module: unknown, value: object): string | undefined {
  if ((typeof module !== 'object' && typeof module !== 'function') || module === null) return undefined
  const isModule = Reflect.get(module, '__esModule') === true || Symbol.toStringTag in module
  // `import * as m` of what is CommonJS is a copy that tslab made, with the module as its default
  if (value !== module && Object.hasOwn(value, 'default') && Reflect.get(value, 'default') === module)
    return '*'
  if (value === module) return isModule ? '*' : 'default'
  return Object.keys(module).find((key) => Reflect.get(module, key) === value)
}
