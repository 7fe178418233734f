import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { SYSFS } from './chips.ts'
import { onoffPins } from './onoff-pin.ts'
import type { PinBackend } from './pin.ts'
import { sysfsPins } from './sysfs-pin.ts'

/**
 * The best backend that this machine has: onoff where it loads, else the files of sysfs, which is said in one line.
 * @param sysfs where sysfs is mounted; onoff knows only /sys
 */
export async function openPinBackend(sysfs: string, clock: Clock, logger: Logger): Promise<PinBackend> {
  if (sysfs !== SYSFS) return sysfsPins(clock, sysfs)
  try {
    return await onoffPins(clock)
  } catch (error) {
    logger.warn(
      `onoff does not load (${reasonOf(error)}): GPIO works, but inputs are looked at 20 times a second instead of waiting for edges; npm install onoff, then npm rebuild epoll --ignore-scripts=false`,
    )
    return sysfsPins(clock, sysfs)
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return 'it is not installed'
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 120) ?? ''
}
