/** `list` with one more item: the list itself, or another one where it was empty. One that grows from nothing takes room for 17. */
export function pushed<Item>(list: Item[], item: Item): Item[] {
  if (list.length === 0) return [item]
  list.push(item)
  return list
}

/**
 * As `items.map(change)`, for the lists that every operation carries: always a list of one kind in the eyes of the compiler. What
 * `map` makes is of another kind before it is compiled than after, and then all that reads those lists is compiled again.
 */
export function mapped<From, To>(items: readonly From[], change: (item: From) => To): To[] {
  // A list that grows takes room for 17, and most have one.
  if (items.length === 1) return [change(items[0] as From)]
  const list: To[] = []
  for (const item of items) list.push(change(item))
  return list.slice()
}
