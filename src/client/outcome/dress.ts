type Dress = (value: object) => void

let dress: Dress = () => {}

/** From now on, plain data that is given to callers gets this look. @internal */
export function dressData(as: Dress): void {
  dress = as
}

/** With its look, in a terminal and in a notebook. @internal */
export function dressed<T extends object>(value: T): T {
  dress(value)
  return value
}
