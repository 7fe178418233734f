import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { GPIO_POLL_INTERVAL_MS, GPIO_RIGHTS_ATTEMPTS, GPIO_RIGHTS_INTERVAL_MS } from '../../base/limits.ts'
import { type GpioLine, resolveLine, SYSFS } from './chips.ts'
import { gpioFailure } from './failure.ts'
import type { InputEvents, InputPin, InputRequest, OutputPin, PinBackend, PinRequest } from './pin.ts'

/**
 * GPIO over the files of sysfs alone. Outputs are what they are with onoff; inputs are looked at every
 * GPIO_POLL_INTERVAL_MS instead of waiting for edges. For machines on which onoff's add-on was not built, for kernels
 * whose lines have no numbers any more, and for a sysfs that is mounted elsewhere.
 */
export function sysfsPins(clock: Clock, sysfs: string = SYSFS): PinBackend {
  return {
    name: 'sysfs',
    async openInput(request, events) {
      return new PolledInput(await openLine(request, 'in', clock, sysfs), request, events, clock)
    },
    async openOutput(request) {
      // The direction `high` or `low` is the level of the wire, whatever active_low says.
      const level = request.initial === request.activeLow ? 'low' : 'high'
      return outputOf(await openLine(request, level, clock, sysfs))
    },
  }
}

/** The value of a line as it is, without changing it. @throws FleetstepError `gpio-unusable` */
export async function readLine(request: PinRequest, clock: Clock, sysfs: string = SYSFS): Promise<boolean> {
  return (await openLine(request, null, clock, sysfs)).read()
}

/** Whether somebody has taken the line into use over sysfs. @throws FleetstepError `gpio-unusable` */
export function isExported({ chip, line }: PinRequest, sysfs: string = SYSFS): boolean {
  return existsSync(resolveLine(chip, line, sysfs).folder)
}

interface OpenLine {
  read(): boolean
  write(value: boolean): void
  textOf(value: boolean): string
  readonly file: string
}

/** @param direction null leaves it as it is */
async function openLine(
  request: PinRequest,
  direction: 'in' | 'high' | 'low' | null,
  clock: Clock,
  sysfs: string,
): Promise<OpenLine> {
  const line = resolveLine(request.chip, request.line, sysfs)
  try {
    if (!existsSync(line.folder)) writeFileSync(line.exportFile, line.exportText)
    await untilAllowed(line, clock)
    const isInverted = direction === null ? isRead(line, request.activeLow) : invert(line, request.activeLow)
    if (direction !== null) writeFileSync(join(line.folder, 'direction'), direction)
    return access(line, isInverted)
  } catch (error) {
    throw gpioFailure(line, error)
  }
}

function access(line: GpioLine, isInverted: boolean): OpenLine {
  const file = join(line.folder, 'value')
  const attempt = <Result>(action: () => Result): Result => {
    try {
      return action()
    } catch (error) {
      throw gpioFailure(line, error)
    }
  }
  const textOf = (value: boolean): string => (value === isInverted ? '0' : '1')
  return {
    file,
    textOf,
    read: () => attempt(() => (readFileSync(file, 'utf8').trim() === '1') !== isInverted),
    write: (value) => attempt(() => writeFileSync(file, textOf(value))),
  }
}

/** @returns whether the value has to be inverted here, because the kernel's new interface does not do it */
function invert(line: GpioLine, activeLow: boolean): boolean {
  const file = join(line.folder, 'active_low')
  if (!existsSync(file)) return activeLow
  writeFileSync(file, activeLow ? '1' : '0')
  return false
}

/** @returns whether the value has to be inverted here, for a line that stays as somebody has set it up */
function isRead(line: GpioLine, activeLow: boolean): boolean {
  const file = join(line.folder, 'active_low')
  return activeLow !== (existsSync(file) && readFileSync(file, 'utf8').trim() === '1')
}

/** The kernel makes the files for root, and udev gives them to the group a moment later. */
async function untilAllowed(line: GpioLine, clock: Clock): Promise<void> {
  const file = join(line.folder, 'direction')
  for (let attempt = 1; ; attempt++) {
    try {
      // Nothing is written: even the direction that a line has would set it anew.
      closeSync(openSync(file, 'r+'))
      return
    } catch (error) {
      const isToCome = error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'ENOENT')
      if (!isToCome || attempt === GPIO_RIGHTS_ATTEMPTS) throw error
      await new Promise<void>((resolve) => {
        clock.schedule(clock.now() + GPIO_RIGHTS_INTERVAL_MS, resolve)
      })
    }
  }
}

function outputOf(line: OpenLine): OutputPin {
  return {
    read: () => line.read(),
    write: (value) => line.write(value),
    hold: (value) => ({ file: line.file, text: line.textOf(value) }),
    close: () => undefined,
  }
}

/** A level counts when it has rested for the debounce time, seen from look to look. */
class PolledInput implements InputPin {
  readonly #line: OpenLine
  readonly #request: InputRequest
  readonly #events: InputEvents
  readonly #clock: Clock
  #settled: boolean
  #level: boolean
  #levelSince: number
  #cancel: () => void = () => undefined

  constructor(line: OpenLine, request: InputRequest, events: InputEvents, clock: Clock) {
    this.#line = line
    this.#request = request
    this.#events = events
    this.#clock = clock
    this.#settled = line.read()
    this.#level = this.#settled
    this.#levelSince = clock.now()
    this.#lookLater()
  }

  read(): boolean {
    return this.#line.read()
  }

  close(): void {
    this.#cancel()
  }

  #lookLater(): void {
    this.#cancel = this.#clock.schedule(this.#clock.now() + GPIO_POLL_INTERVAL_MS, () => {
      this.#lookLater()
      this.#look()
    })
  }

  #look(): void {
    const level = this.#levelOr()
    const now = this.#clock.now()
    if (level !== this.#level) {
      this.#level = level
      this.#levelSince = now
    }
    if (level === this.#settled || now - this.#levelSince < this.#request.debounceMs) return
    this.#settled = level
    const { edge } = this.#request
    if (edge === 'both' || (edge === 'rising') === level) this.#events.edge(level)
  }

  /** A line that cannot be read stays what it was; whoever reads it is told. */
  #levelOr(): boolean {
    try {
      return this.#line.read()
    } catch {
      return this.#level
    }
  }
}
