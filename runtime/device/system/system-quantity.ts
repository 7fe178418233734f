/** What the driver `system` can read of the machine it runs on. */
export const SYSTEM_QUANTITIES = [
  'load1',
  'load5',
  'load15',
  'memoryUsed',
  'memoryAvailable',
  'memoryTotal',
  'swapUsed',
  'diskFree',
  'diskUsed',
  'diskTotal',
  'uptime',
  'cpuTemp',
  'cpuFrequency',
  'throttled',
  'linkQuality',
  'wifiSignal',
] as const

export type SystemQuantity = (typeof SYSTEM_QUANTITIES)[number]

export function isSystemQuantity(text: unknown): text is SystemQuantity {
  return SYSTEM_QUANTITIES.some((one) => one === text)
}

/** Those that are asked of the disk that a path lies on. */
export function isDiskQuantity(quantity: SystemQuantity): boolean {
  return quantity === 'diskFree' || quantity === 'diskUsed' || quantity === 'diskTotal'
}

/** The units that a profile may ask `quantity` in, with what a raw reading (bytes, seconds, Cel, Hz) is divided by. */
export function unitsOfQuantity(quantity: SystemQuantity): ReadonlyMap<string, number> {
  switch (quantity) {
    case 'load1':
    case 'load5':
    case 'load15':
    case 'throttled':
      return COUNT
    case 'memoryUsed':
    case 'memoryAvailable':
    case 'memoryTotal':
    case 'swapUsed':
    case 'diskFree':
    case 'diskUsed':
    case 'diskTotal':
      return SIZE
    case 'uptime':
      return TIME
    case 'cpuTemp':
      return TEMPERATURE
    case 'cpuFrequency':
      return FREQUENCY
    case 'linkQuality':
      return SHARE
    case 'wifiSignal':
      return SIGNAL
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
const FREQUENCY: ReadonlyMap<string, number> = new Map([
  ['Hz', 1],
  ['kHz', 1e3],
  ['MHz', 1e6],
  ['GHz', 1e9],
])
const SHARE: ReadonlyMap<string, number> = new Map([['%', 1]])
const SIGNAL: ReadonlyMap<string, number> = new Map([['dB[mW]', 1]])
const TEMPERATURE: ReadonlyMap<string, number> = new Map([['Cel', 1]])
