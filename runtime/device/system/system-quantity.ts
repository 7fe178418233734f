/** What the driver `system` can read of the machine it runs on. */
export const SYSTEM_QUANTITIES = ['load1', 'memoryUsed', 'memoryAvailable', 'diskFree', 'uptime', 'cpuTemp'] as const

export type SystemQuantity = (typeof SYSTEM_QUANTITIES)[number]

export function isSystemQuantity(text: unknown): text is SystemQuantity {
  return SYSTEM_QUANTITIES.some((one) => one === text)
}

/** The units that a profile may ask `quantity` in, with what a raw reading (bytes, seconds, Cel) is divided by. */
export function unitsOfQuantity(quantity: SystemQuantity): ReadonlyMap<string, number> {
  switch (quantity) {
    case 'load1':
      return COUNT
    case 'memoryUsed':
    case 'memoryAvailable':
    case 'diskFree':
      return SIZE
    case 'uptime':
      return TIME
    case 'cpuTemp':
      return TEMPERATURE
  }
}

const COUNT: ReadonlyMap<string, number> = new Map([['1', 1]])
const SIZE: ReadonlyMap<string, number> = new Map([
  ['By', 1],
  ['kBy', 1e3],
  ['MBy', 1e6],
  ['GBy', 1e9],
  ['KiBy', 2 ** 10],
  ['MiBy', 2 ** 20],
  ['GiBy', 2 ** 30],
])
const TIME: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['min', 60],
  ['h', 3600],
  ['d', 86_400],
])
const TEMPERATURE: ReadonlyMap<string, number> = new Map([['Cel', 1]])
