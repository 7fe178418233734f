/** The pin of the 40-pin header that carries a BCM line, or null. Source: Raspberry Pi documentation, "GPIO and the 40-pin header". */
export function headerPin(line: number): number | null {
  const pin = PINS.findIndex((one) => one === line)
  return pin < 0 ? null : pin + 1
}

const V = -1
const G = -2
// Two pins in a row, as they stand on the board; V is a supply and G is ground.
const PINS: readonly number[] = [
  [V, V],
  [2, V],
  [3, G],
  [4, 14],
  [G, 15],
  [17, 18],
  [27, G],
  [22, 23],
  [V, 24],
  [10, G],
  [9, 25],
  [11, 8],
  [G, 7],
  [0, 1],
  [5, G],
  [6, 12],
  [13, G],
  [19, 16],
  [26, 20],
  [G, 21],
].flat()
