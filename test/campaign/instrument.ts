import type { OpenPort } from '../../runtime/links/serial/port-events.ts'
import { type PtyLine, startPtyLine } from '../support/pty-line.ts'
import { INSTRUMENT_INTERVAL_S, VALVE_SAFE } from './device-profile.ts'

/** An instrument on a terminal of this machine: it says a reading by interval, and keeps all that its valve was told. */
export class Instrument {
  /** The positions of the valve, in the order in which they were told. */
  readonly told: number[] = []
  readonly #line: PtyLine
  readonly #port: OpenPort
  readonly #timer: NodeJS.Timeout
  #heard = ''

  private constructor(line: PtyLine) {
    this.#line = line
    this.#port = line.line.port('field')({
      opened: () => undefined,
      data: (bytes) => this.#hear(Buffer.from(bytes).toString('latin1')),
      gone: () => undefined,
    })
    let reading = 0
    this.#timer = setInterval(() => {
      reading = (reading + 1) % 90
      this.#say(`T=${reading}.5`)
    }, INSTRUMENT_INTERVAL_S * 1000)
  }

  static async start(folder: string): Promise<Instrument> {
    return new Instrument(await startPtyLine([TERMINAL], { baud: 9600 }, folder))
  }

  get device(): string {
    return this.#line.device(TERMINAL)
  }

  /** Whether the valve stands elsewhere than where it is safe. Nobody but a gateway or its guard tells it the safe position. */
  get isOpen(): boolean {
    return (this.told.at(-1) ?? VALVE_SAFE) !== VALVE_SAFE
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await this.#port.close()
    await this.#line.end()
  }

  #hear(text: string): void {
    const lines = (this.#heard + text).split('\n')
    this.#heard = lines.pop() ?? ''
    for (const line of lines) {
      const position = /^V([0-9]+)$/.exec(line)?.[1]
      if (position === undefined) continue
      this.told.push(Number(position))
      this.#say('OK')
    }
  }

  #say(line: string): void {
    this.#port.write(Buffer.from(`${line}\n`))
  }
}

const TERMINAL = 'instrument'
