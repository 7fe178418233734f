import type { Clock } from '../../base/clock.ts'
import type { InputEvents, InputPin, InputRequest, OutputPin, OutputRequest, PinBackend, PinRequest } from './pin.ts'

/** Lines that exist in memory alone: a profile with GPIO runs on any machine, and tests move the wires. */
export class SimulatedPins implements PinBackend {
  readonly name = 'simulated'
  readonly #clock: Clock
  readonly #wires = new Map<string, Wire>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  openInput(request: InputRequest, events: InputEvents): Promise<InputPin> {
    const wire = this.#wire(request)
    const watcher = new DebouncedWatcher(request, events, this.#clock)
    wire.watchers.add(watcher)
    return Promise.resolve({
      read: () => wire.isHigh !== request.activeLow,
      close() {
        watcher.end()
        wire.watchers.delete(watcher)
      },
    })
  }

  openOutput(request: OutputRequest): Promise<OutputPin> {
    const { chip, line, activeLow, initial } = request
    const write = (value: boolean): void => this.setLevel(chip, line, value !== activeLow)
    write(initial)
    const wire = this.#wire(request)
    return Promise.resolve({
      read: () => wire.isHigh !== activeLow,
      write,
      hold: () => null,
      close: () => undefined,
    })
  }

  /** Level of the wire, true for high. A wire that nobody has driven is low. */
  level(chip: string, line: number): boolean {
    return this.#wire({ chip, line }).isHigh
  }

  /** Levels that the wire has had, the first one low, as long as this object lives. */
  changes(chip: string, line: number): readonly boolean[] {
    return this.#wire({ chip, line }).changes
  }

  setLevel(chip: string, line: number, isHigh: boolean): void {
    const wire = this.#wire({ chip, line })
    if (wire.isHigh === isHigh) return
    wire.isHigh = isHigh
    wire.changes.push(isHigh)
    for (const watcher of wire.watchers) watcher.note(isHigh)
  }

  #wire({ chip, line }: Pick<PinRequest, 'chip' | 'line'>): Wire {
    const name = `${chip}:${line}`
    const wire = this.#wires.get(name) ?? { isHigh: false, changes: [], watchers: new Set() }
    this.#wires.set(name, wire)
    return wire
  }
}

interface Wire {
  isHigh: boolean
  readonly changes: boolean[]
  readonly watchers: Set<DebouncedWatcher>
}

/** A level counts when it has rested for the debounce time. */
class DebouncedWatcher {
  readonly #request: InputRequest
  readonly #events: InputEvents
  readonly #clock: Clock
  #cancel: () => void = () => undefined

  constructor(request: InputRequest, events: InputEvents, clock: Clock) {
    this.#request = request
    this.#events = events
    this.#clock = clock
  }

  note(isHigh: boolean): void {
    const { activeLow, edge, debounceMs } = this.#request
    const value = isHigh !== activeLow
    const tell = (): void => {
      if (edge === 'both' || (edge === 'rising') === value) this.#events.edge(value)
    }
    this.#cancel()
    if (debounceMs === 0) tell()
    else this.#cancel = this.#clock.schedule(this.#clock.now() + debounceMs, tell)
  }

  end(): void {
    this.#cancel()
  }
}
