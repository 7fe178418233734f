// log-update: redraws lines of a terminal in place and keeps what was said above them; only what has changed is written. MIT.
import { createLogUpdate } from 'log-update'
import type { DemoFleet, Sight } from './demo-fleet.ts'
import { type Style, styleOf, wrapped } from './terminal-text.ts'
import { fleetView } from './view.ts'

/** Figures of a step, for programs; the unit is last in each name. */
export type StepFacts = Readonly<Record<string, unknown>>

/** Says what happens, to a person at a terminal, into a file, or to a program. */
export interface Teller {
  /** True if a person reads as it goes on. */
  readonly isLive: boolean
  /** What stands around the story. */
  say(text: string): void
  step(number: number, text: string, facts: StepFacts): void
  /** The picture of this moment. */
  show(fleet: DemoFleet, sights: readonly Sight[]): void
  /** Only what was said stays. */
  end(): void
}

export function tellerFor(stream: NodeJS.WriteStream, json: boolean): Teller {
  if (json) return jsonTeller(stream)
  // A terminal that does not know its size, as some recorders have, shows no picture.
  const hasSize = stream.rows > 0 && stream.columns > 0
  return stream.isTTY && hasSize ? liveTeller(stream) : plainTeller(stream)
}

function jsonTeller(stream: NodeJS.WriteStream): Teller {
  const write = (line: StepFacts): void => void stream.write(`${JSON.stringify(line)}\n`)
  return {
    isLive: false,
    say: (text) => write({ text }),
    step: (step, text, facts) => write({ step, text, ...facts }),
    show: () => undefined,
    end: () => undefined,
  }
}

/** Whole lines, and a line whenever a gateway comes or goes. */
function plainTeller(stream: NodeJS.WriteStream): Teller {
  return {
    isLive: false,
    say: (text) => void stream.write(`${text}\n`),
    step: (number, text) => void stream.write(`${numbered(number)}${text}\n`),
    show: () => undefined,
    end: () => undefined,
  }
}

function liveTeller(stream: NodeJS.WriteStream): Teller {
  const style = styleOf(isColoured(stream))
  const live = createLogUpdate(stream)
  const width = (): number => Math.max(40, stream.columns)
  let draw = (): void => undefined
  /** Lines above the picture that stay in sight: those that were said last. */
  let spokenRows = 0
  const persist = (lines: readonly string[]): void => {
    spokenRows = Math.max(lines.length, SPOKEN_ROWS_MIN, Math.floor(stream.rows / 4))
    // First the picture makes room.
    draw()
    live.persist(lines.join('\n'))
  }
  return {
    isLive: true,
    say: (text) => persist(text.split('\n').flatMap((line) => wrapped(line, width() - 1, indentOf(line)))),
    step: (number, text) => persist(stepLines(number, text, width(), style)),
    show: (fleet, sights) => {
      draw = () => live(fleetView(fleet, sights, { columns: width(), rows: stream.rows - 1 - spokenRows, style }))
      draw()
    },
    end: () => {
      draw = () => undefined
      live.clear()
      live.done()
    },
  }
}

/** Lines of a step of the story, and of the one before it. */
const SPOKEN_ROWS_MIN = 6

function stepLines(number: number, text: string, columns: number, style: Style): string[] {
  const [first = '', ...rest] = wrapped(`${numbered(number)}${text}`, columns - 1, INDENT)
  return [style.bold(first.slice(0, INDENT)) + first.slice(INDENT), ...rest]
}

const INDENT = 4

function numbered(number: number): string {
  return `${number}.`.padEnd(INDENT)
}

/** A line that is indented goes on where its text begins. */
function indentOf(line: string): number {
  return line.length - line.trimStart().length
}

/** NO_COLOR: no-color.org. */
function isColoured(stream: NodeJS.WriteStream): boolean {
  return (process.env['NO_COLOR'] ?? '') === '' && stream.hasColors()
}
