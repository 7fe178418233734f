/** How text is made to stand out; each leaves it as it is where colours are not wanted. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly red: (text: string) => string
}

/** @param isColoured false if NO_COLOR is set (no-color.org) or the terminal has none */
export function styleOf(isColoured: boolean): Style {
  const code =
    (on: number, off: number) =>
    (text: string): string =>
      isColoured ? `\u001B[${on}m${text}\u001B[${off}m` : text
  return { bold: code(1, 22), dim: code(2, 22), green: code(32, 39), yellow: code(33, 39), red: code(31, 39) }
}

/** Exactly `width` characters: padded, or cut with an ellipsis. */
export function fitted(text: string, width: number): string {
  const plain = Array.from(text.replaceAll(/\s+/g, ' '))
  return plain.length > width ? `${plain.slice(0, width - 1).join('')}…` : plain.join('').padEnd(width)
}

/** Lines of at most `width` characters, broken between words; those after the first are indented by `indent`. */
export function wrapped(text: string, width: number, indent: number = 0): string[] {
  const lines: string[] = []
  const [first = '', ...words] = text.trimStart().split(' ')
  let line = text.slice(0, text.length - text.trimStart().length) + first
  for (const word of words) {
    if (`${line} ${word}`.length <= width) {
      line = `${line} ${word}`
      continue
    }
    lines.push(line)
    line = ' '.repeat(indent) + word
  }
  return [...lines, line]
}
