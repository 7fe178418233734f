import { FleetstepError } from '../base/errors.ts'
import type { Logger } from '../base/logger.ts'
import { openPinBackend } from '../device/gpio/backend.ts'
import { listChips, resolveLine } from '../device/gpio/chips.ts'
import type { GpioChip } from '../device/gpio/chips.ts'
import type { PinRequest } from '../device/gpio/pin.ts'
import { isExported, readLine, sysfsPins } from '../device/gpio/sysfs-pin.ts'
import { bindingOf } from '../device/profiles/attributes.ts'
import { loadProfile } from '../device/profiles/load.ts'
import { shippedProfile } from './shipped-profiles.ts'
import { systemClock } from './system-clock.ts'

/** The GPIO lines of this machine, for people who wire and try; a gateway drives them by its profile. */
export type { GpioChip } from '../device/gpio/chips.ts'

export interface GpioCheck {
  readonly chips: readonly GpioChip[]
  /** What the daemon would use for inputs: `onoff` waits for edges, `sysfs` looks for them. Null without GPIO. */
  readonly backend: 'onoff' | 'sysfs' | 'simulated' | null
  /** What was said about it, one line each. */
  readonly warnings: readonly string[]
  /** The lines of a profile, if one was named. */
  readonly lines: readonly CheckedLine[]
}

export interface CheckedLine {
  readonly resource: string
  readonly chip: string
  readonly line: number
  /** Its number among all lines of the machine, or null. */
  readonly number: number | null
  /** Why it cannot be used, or null. */
  readonly problem: string | null
}

/** Changes nothing. @param profile a file or a shipped name, or null. @throws FleetstepError `profile-invalid` */
export async function checkGpio(sysfs: string, profile: string | null): Promise<GpioCheck> {
  const chips = listChips(sysfs)
  const warnings: string[] = []
  const note = (message: string): void => void warnings.push(message)
  const logger: Logger = { debug: note, info: note, warn: note, error: note }
  const backend = chips.length === 0 ? null : (await openPinBackend(sysfs, systemClock, logger)).name
  return { chips, backend, warnings, lines: profile === null ? [] : linesOf(profile, sysfs) }
}

/** @throws FleetstepError `gpio-unusable` */
export async function readGpio(request: PinRequest, sysfs: string): Promise<boolean> {
  return await readLine(request, systemClock, sysfs)
}

/**
 * Makes the line an output and leaves it driven.
 * @param isForced also if somebody has it already, as a running gateway
 * @throws FleetstepError `gpio-unusable`
 */
export async function writeGpio(request: PinRequest, value: boolean, sysfs: string, isForced: boolean): Promise<void> {
  if (!isForced && isExported(request, sysfs)) {
    throw new FleetstepError(
      'gpio-unusable',
      `line ${request.line} is in use, or was left driven by a gateway: set the point with fleetstep state set, or write all the same with --force`,
    )
  }
  await sysfsPins(systemClock, sysfs).openOutput({ ...request, initial: value })
}

/** Calls back for each change of an input. @returns a function that ends it. @throws FleetstepError `gpio-unusable` */
export async function watchGpio(
  request: PinRequest,
  debounceMs: number,
  sysfs: string,
  logger: Logger,
  onChange: (value: boolean) => void,
): Promise<() => void> {
  const backend = await openPinBackend(sysfs, systemClock, logger)
  let last: boolean | null = null
  const tell = (value: boolean): void => {
    if (value === last) return
    last = value
    onChange(value)
  }
  const pin = await backend.openInput({ ...request, edge: 'both', debounceMs }, { edge: tell })
  tell(pin.read())
  return () => pin.close()
}

function linesOf(profile: string, sysfs: string): CheckedLine[] {
  return loadProfile(shippedProfile(profile)).profile.deviceResources.flatMap((resource): CheckedLine[] => {
    const binding = bindingOf(resource)
    if (binding?.driver !== 'gpio') return []
    const { chip, line } = binding
    const place = { resource: resource.name, chip, line }
    try {
      return [{ ...place, number: resolveLine(chip, line, sysfs).number, problem: null }]
    } catch (error) {
      if (!(error instanceof FleetstepError)) throw error
      return [{ ...place, number: null, problem: error.message }]
    }
  })
}
