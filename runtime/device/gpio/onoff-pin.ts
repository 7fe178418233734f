// onoff: the maintained library for GPIO over sysfs with edges by epoll; MIT. Optional, because its add-on is compiled on
// the board: it is imported when it is called for, and `backend.ts` goes on without it.
import type { Gpio } from 'onoff'
import type { Clock } from '../../base/clock.ts'
import { type GpioLine, resolveLine } from './chips.ts'
import { gpioFailure } from './failure.ts'
import type { OutputPin, PinBackend, PinRequest } from './pin.ts'
import { sysfsPins } from './sysfs-pin.ts'

/** GPIO by onoff, for lines that have a number; others go over sysfs alone. Rejects if the library or its add-on is not there. */
export async function onoffPins(clock: Clock): Promise<PinBackend> {
  const { Gpio: Library } = await import('onoff')
  const files = sysfsPins(clock)
  const openGpio: OpenGpio = (line, { activeLow }, direction, edge, debounceTimeout) =>
    attempt(line, () => new Library(line.number ?? -1, direction, edge, { activeLow, debounceTimeout }))
  return {
    name: 'onoff',
    async openInput(request, events) {
      const line = resolveLine(request.chip, request.line)
      if (line.number === null) return await files.openInput(request, events)
      const gpio = openGpio(line, request, 'in', request.edge, request.debounceMs)
      gpio.watch((error, value) => {
        if (error === null || error === undefined) events.edge(value === HIGH)
      })
      return { read: () => attempt(line, () => gpio.readSync() === HIGH), close: () => release(line, gpio) }
    },
    async openOutput(request) {
      const line = resolveLine(request.chip, request.line)
      if (line.number === null) return await files.openOutput(request)
      // The direction `high` or `low` is the level of the wire, whatever active_low says.
      const level = request.initial === request.activeLow ? 'low' : 'high'
      return outputOf(line, openGpio(line, request, level, 'none', 0))
    },
  }
}

type OpenGpio = (
  line: GpioLine,
  request: PinRequest,
  direction: 'in' | 'high' | 'low',
  edge: 'none' | 'both' | 'rising' | 'falling',
  debounceTimeout: number,
) => Gpio

const HIGH = 1
const LOW = 0

function outputOf(line: GpioLine, gpio: Gpio): OutputPin {
  return {
    read: () => attempt(line, () => gpio.readSync() === HIGH),
    write: (value) => attempt(line, () => gpio.writeSync(value ? HIGH : LOW)),
    hold: (value) => ({ file: `${line.folder}/value`, text: value ? '1' : '0' }),
    // It stays exported: a line that is let go becomes an input on many boards, and what hangs on it floats.
    close: () => undefined,
  }
}

function release(line: GpioLine, gpio: Gpio): void {
  attempt(line, () => gpio.unexport())
}

function attempt<Result>(line: GpioLine, action: () => Result): Result {
  try {
    return action()
  } catch (error) {
    throw gpioFailure(line, error)
  }
}
