export interface Curve {
  readonly figure: string
  readonly unit: string
  /** One for each size. */
  readonly values: readonly number[]
}

const WIDTH = 300
const HEIGHT = 200
const MARGIN = 40
const COLUMNS = 3

/** An SVG with one panel for each curve, both axes logarithmic; the dashed line is what linear growth would be. */
export function growthChart(sizes: readonly number[], curves: readonly Curve[]): string {
  const rows = Math.ceil(curves.length / COLUMNS)
  const panels = curves.map((curve, index) => {
    const x = (index % COLUMNS) * WIDTH
    const y = Math.floor(index / COLUMNS) * HEIGHT
    return `<g transform="translate(${x} ${y})">${panel(sizes, curve)}</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${COLUMNS * WIDTH}" height="${rows * HEIGHT}" font-family="sans-serif">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...panels,
    '</svg>\n',
  ].join('\n')
}

function panel(sizes: readonly number[], { figure, unit, values }: Curve): string {
  const first = Math.max(values[0] ?? 0, 1e-6)
  const linear = sizes.map((size) => (first * size) / (sizes[0] ?? 1))
  const all = [...values, ...linear].map((value) => Math.log10(Math.max(value, 1e-6)))
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const x = (size: number): number => {
    const [start, end] = [Math.log10(sizes[0] ?? 1), Math.log10(sizes.at(-1) ?? 10)]
    return MARGIN + ((Math.log10(size) - start) / (end - start)) * (WIDTH - 2 * MARGIN)
  }
  const y = (value: number): number =>
    HEIGHT - MARGIN - ((Math.log10(Math.max(value, 1e-6)) - low) / (high - low)) * (HEIGHT - 2.2 * MARGIN)
  const line = (points: readonly number[], style: string): string =>
    `<polyline fill="none" ${style} points="${points.map((value, index) => `${round(x(sizes[index] ?? 1))},${round(y(value))}`).join(' ')}"/>`
  const labels = sizes.map((size, index) => {
    const value = values[index] ?? 0
    const at = round(x(size))
    return [
      `<circle cx="${at}" cy="${round(y(value))}" r="3" fill="#1565c0"/>`,
      `<text x="${at}" y="${round(y(value) - 8)}" font-size="11" text-anchor="middle">${Number(value.toPrecision(3))}</text>`,
      `<text x="${at}" y="${HEIGHT - MARGIN / 2}" font-size="11" text-anchor="middle" fill="#666">${size}</text>`,
    ].join('')
  })
  return [
    `<text x="${MARGIN / 2}" y="20" font-size="12" font-weight="bold">${figure}, ${unit}</text>`,
    line(linear, 'stroke="#999" stroke-dasharray="4 4"'),
    line(values, 'stroke="#1565c0" stroke-width="2"'),
    ...labels,
  ].join('')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
