import type { Clock, Monotonic } from '../../base/clock.ts'
import { INSTRUMENT_LINE_BYTES_MAX, INSTRUMENT_PAUSE_MS, SERIAL_OPEN_TIMEOUT_MS } from '../../base/limits.ts'
import { retryDelayMs } from '../drivers/back-off.ts'
import { PortGone } from './polled-point.ts'
import { Quiet } from './quiet.ts'
import type { InstrumentPort, OpenInstrumentPort, SerialSettings } from './serial-port.ts'

export interface LineSessionOptions {
  readonly settings: SerialSettings
  readonly openPort: OpenInstrumentPort
  readonly terminator: string
  readonly clock: Clock
  /** Every line that came whole, without its end. */
  readonly onLine: (line: string) => void
  /** The port cannot be opened, or is gone. @param cause one line */
  readonly onGone: (cause: string) => void
}

/** A port that is kept open, and the lines of text on it. Bytes stand for the characters of Latin-1. */
export class LineSession {
  readonly #options: LineSessionOptions
  #port: InstrumentPort | null = null
  #isOpen = false
  #isOver = false
  #failures = 0
  #cause = ''
  #text = ''
  /** What is heard up to the next end of a line is none: it was too long, or had begun before the port was open. */
  #isSkipping = false
  /** When the port was opened, until something is heard or said on it. */
  #quietSince: Monotonic | null = null
  #waiting: { readonly take: (line: string) => void; readonly fail: (error: Error) => void } | null = null
  readonly #onOpen: (() => void)[] = []
  readonly #quiet: Quiet
  #cancelReopen: () => void = () => undefined

  constructor(options: LineSessionOptions) {
    this.#options = options
    this.#quiet = new Quiet(options.clock)
  }

  start(): void {
    this.#port = this.#options.openPort(this.#options.settings, {
      opened: () => {
        this.#isOpen = true
        this.#failures = 0
        this.#text = ''
        this.#isSkipping = false
        this.#quietSince = this.#options.clock.now()
        for (const opened of this.#onOpen.splice(0)) opened()
      },
      data: (bytes) => this.#takeBytes(bytes),
      gone: (cause) => this.#noteGone(cause),
    })
  }

  async close(): Promise<void> {
    this.#isOver = true
    this.#isOpen = false
    this.#cause = 'the gateway ends'
    this.#cancelReopen()
    this.#waiting?.fail(new PortGone(this.#cause))
    this.#quiet.end()
    for (const opened of this.#onOpen.splice(0)) opened()
    await this.#port?.close()
  }

  /**
   * Sends `text` and waits for a line of `accepts`; others pass by, as an echo does.
   * @throws Error with what was heard instead, PortGone
   */
  async ask(text: string, accepts: (line: string) => boolean, timeoutMs: number): Promise<string> {
    await this.#quiet.over()
    await this.#untilOpen()
    const { clock } = this.#options
    return await new Promise<string>((resolve, reject) => {
      let heard: string | null = null
      const end = (): void => {
        cancel()
        this.#waiting = null
      }
      const cancel = clock.schedule(clock.now() + timeoutMs, () => {
        end()
        this.#quiet.begin(timeoutMs)
        const what = heard === null ? 'no answer' : `no answer that fits, but ${JSON.stringify(heard.slice(0, 60))},`
        reject(
          new Error(
            `${what} to ${JSON.stringify(text)} within ${timeoutMs} ms: check the wiring, the baud and the pattern`,
          ),
        )
      })
      this.#waiting = {
        take(line) {
          heard = line
          if (!accepts(line)) return
          end()
          resolve(line)
        },
        fail(error) {
          end()
          reject(error)
        },
      }
      this.#say(text)
    })
  }

  /** Sends without waiting for an answer. @throws PortGone */
  async tell(text: string): Promise<void> {
    await this.#quiet.over()
    await this.#untilOpen()
    this.#say(text)
  }

  #say(text: string): void {
    this.#quietSince = null
    this.#port?.write(Buffer.from(text, 'latin1'))
  }

  /** A port that is being opened gets the time for it; one that is gone does not. */
  async #untilOpen(): Promise<void> {
    if (this.#isOpen) return
    if (this.#failures === 0 && !this.#isOver) {
      const { clock } = this.#options
      await new Promise<void>((resolve) => {
        const cancel = clock.schedule(clock.now() + SERIAL_OPEN_TIMEOUT_MS, resolve)
        this.#onOpen.push(() => {
          cancel()
          resolve()
        })
      })
    }
    // It may have been opened meanwhile.
    if (!this.isOpen())
      throw new PortGone(this.#cause === '' ? `${this.#options.settings.port} does not open` : this.#cause)
  }

  isOpen(): boolean {
    return this.#isOpen
  }

  #noteGone(cause: string): void {
    const { clock, onGone } = this.#options
    this.#isOpen = false
    this.#failures += 1
    this.#cause = cause
    this.#waiting?.fail(new PortGone(cause))
    for (const opened of this.#onOpen.splice(0)) opened()
    if (this.#isOver) return
    onGone(cause)
    this.#cancelReopen = clock.schedule(clock.now() + retryDelayMs(this.#failures), () => this.start())
  }

  #takeBytes(bytes: Uint8Array): void {
    if (this.#quietSince !== null) {
      this.#isSkipping = this.#options.clock.now() - this.#quietSince < INSTRUMENT_PAUSE_MS
      this.#quietSince = null
    }
    this.#text += Buffer.from(bytes).toString('latin1')
    const { terminator } = this.#options
    for (let end = this.#text.indexOf(terminator); end >= 0; end = this.#text.indexOf(terminator)) {
      const line = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + terminator.length)
      // What came before a line that was too long belonged to it.
      if (this.#isSkipping || line.length > INSTRUMENT_LINE_BYTES_MAX) this.#isSkipping = false
      else this.#takeLine(line)
    }
    if (this.#text.length <= INSTRUMENT_LINE_BYTES_MAX) return
    this.#isSkipping = true
    this.#text = this.#text.slice(-terminator.length)
  }

  #takeLine(text: string): void {
    const line = text.endsWith('\r') ? text.slice(0, -1) : text
    this.#waiting?.take(line)
    this.#options.onLine(line)
  }
}
