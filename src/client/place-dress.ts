type Dress = (value: object) => void

let dress: Dress = () => {}

/** From now on, what is told of places gets this look. @internal */
export function dressPlaces(as: Dress): void {
  dress = as
}

/** With its look, in a terminal and in a notebook. @internal */
export function dressed<T extends object>(value: T): T {
  dress(value)
  return value
}
