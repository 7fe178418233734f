import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { uptime } from 'node:os'
import { join } from 'node:path'
import { THERMAL_ZONES_MAX } from '../../base/limits.ts'
import type { SystemQuantity } from './system-quantity.ts'

/** One reading in bytes, seconds, degrees Celsius, hertz, percent, decibels of a milliwatt, or a plain count. */
export type SystemReading =
  | { readonly kind: 'value'; readonly value: number }
  /** This machine does not have it, at least not now. */
  | { readonly kind: 'absent'; readonly reason: string }
  /** It should be there and could not be read this time. */
  | { readonly kind: 'failed'; readonly reason: string }

/** Port to the machine; {@link openSystemSource} is the real one. */
export interface SystemSource {
  /** @param path what the disk quantities are asked of; others ignore it */
  read(quantity: SystemQuantity, path: string): SystemReading
}

/**
 * Reads this machine, but for the quality of its links, of which only the gateway knows. Everything it reads is in memory of the kernel, so it does not wait for a disk.
 * @param root directory that stands for `/`; tests pass a tree of their own
 */
export function openSystemSource(root: string = '/'): SystemSource {
  let zone: string | null | undefined
  const readTemperature = (): SystemReading => {
    zone ??= findThermalZone(root)
    if (zone === null) return { kind: 'absent', reason: 'there is no /sys/class/thermal/thermal_zone*' }
    return readNumber(root, `${zone}/temp`, (text) => Number(text) / 1000)
  }
  return {
    read(quantity, path) {
      switch (quantity) {
        case 'load1':
        case 'load5':
        case 'load15':
          return readNumber(root, 'proc/loadavg', (text) => Number(text.split(' ')[LOAD_COLUMNS[quantity]]))
        case 'memoryTotal':
          return readNumber(root, 'proc/meminfo', (text) => meminfoBytes(text, 'MemTotal'))
        case 'swapUsed':
          return readNumber(root, 'proc/meminfo', (text) => {
            return meminfoBytes(text, 'SwapTotal') - meminfoBytes(text, 'SwapFree')
          })
        case 'memoryAvailable':
          return readNumber(root, 'proc/meminfo', (text) => meminfoBytes(text, 'MemAvailable'))
        case 'memoryUsed':
          return readNumber(root, 'proc/meminfo', (text) => {
            return meminfoBytes(text, 'MemTotal') - meminfoBytes(text, 'MemAvailable')
          })
        case 'diskFree':
        case 'diskUsed':
        case 'diskTotal':
          return attempt(`/${path}`.replace(/^\/+/, '/'), () => {
            const { bavail, bfree, blocks, bsize } = statfsSync(join(root, path))
            const counts = { diskFree: bavail, diskUsed: blocks - bfree, diskTotal: blocks }
            return counts[quantity] * bsize
          })
        case 'uptime':
          return attempt('uptime', uptime)
        case 'cpuTemp':
          return readTemperature()
        case 'cpuFrequency':
          return readNumber(root, 'sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq', (text) => Number(text) * 1000)
        case 'throttled':
          return readThrottled(root)
        case 'wifiSignal':
          return readNumber(root, 'proc/net/wireless', signalOf)
        case 'linkQuality':
          return { kind: 'absent', reason: 'only a gateway has links' }
      }
    },
  }
}

const LOAD_COLUMNS = { load1: 0, load5: 1, load15: 2 } as const

/**
 * The bits of the firmware of a Raspberry Pi: 0 low voltage, 1 frequency capped, 2 throttled, 3 soft temperature limit, each
 * 16 higher if it was so since the start. Source: Raspberry Pi documentation, `vcgencmd get_throttled`.
 */
function readThrottled(root: string): SystemReading {
  const platform = 'sys/devices/platform'
  const folders = namesIn(root, platform)
    .filter((name) => name.startsWith('soc'))
    .flatMap((soc) => namesIn(root, `${platform}/${soc}`).map((name) => `${platform}/${soc}/${name}`))
  const firmware = folders.find((folder) => folder.endsWith(':firmware'))
  if (firmware === undefined) return { kind: 'absent', reason: 'there is no firmware of a Raspberry Pi' }
  return readNumber(root, `${firmware}/get_throttled`, (text) => Number.parseInt(text, 16))
}

/** The strongest of the wireless interfaces. Source: proc(5), net/wireless: status, quality, level, noise. */
function signalOf(text: string): number {
  const levels = text
    .split('\n')
    .slice(2)
    .map((line) => Number.parseFloat(line.trim().split(/\s+/)[3] ?? ''))
  return Math.max(...levels.filter((level) => Number.isFinite(level)))
}

/** Types of thermal zones that are the processor, most exact first: Raspberry Pi, Rockchip and others, x86. */
const PROCESSOR_ZONES = ['cpu-thermal', 'cpu_thermal', 'soc-thermal', 'soc_thermal', 'x86_pkg_temp', 'bcm2835_thermal']

/** The zone of the processor, else the first one; null if there is none. */
function findThermalZone(root: string): string | null {
  const zones = listZones(root)
  for (const wanted of PROCESSOR_ZONES) {
    const found = zones.find((zone) => readType(root, zone) === wanted)
    if (found !== undefined) return found
  }
  return zones[0] ?? null
}

function listZones(root: string): string[] {
  return namesIn(root, 'sys/class/thermal')
    .filter((name) => /^thermal_zone[0-9]+$/.test(name))
    .slice(0, THERMAL_ZONES_MAX)
    .map((name) => `sys/class/thermal/${name}`)
}

function namesIn(root: string, folder: string): string[] {
  try {
    return readdirSync(join(root, folder)).sort()
  } catch {
    return []
  }
}

function readType(root: string, zone: string): string | null {
  try {
    return readFileSync(join(root, zone, 'type'), 'utf8').trim()
  } catch {
    return null
  }
}

function meminfoBytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+([0-9]+) kB$`, 'm').exec(text)?.[1]) * 1024
}

function readNumber(root: string, path: string, parse: (text: string) => number): SystemReading {
  return attempt(`/${path}`, () => parse(readFileSync(join(root, path), 'utf8').trim()))
}

function attempt(where: string, read: () => number): SystemReading {
  try {
    const value = read()
    return Number.isFinite(value) ? { kind: 'value', value } : { kind: 'failed', reason: `${where} holds no number` }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent', reason: `there is no ${where}` }
    return { kind: 'failed', reason: `${where} could not be read (${code})` }
  }
}
