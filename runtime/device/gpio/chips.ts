import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FleetstepError } from '../../base/errors.ts'
import { GPIO_CHIPS_MAX } from '../../base/limits.ts'
import { SOC_CHIP } from './pin.ts'

/** One GPIO chip as sysfs shows it. Source: the kernel's Documentation/ABI/obsolete/sysfs-gpio. */
export interface GpioChip {
  readonly label: string
  readonly lines: number
  /** Number of its first line among all lines of the machine, which depends on the kernel; null if it has none any more. */
  readonly base: number | null
  /** Name of its folder with an `export` of its own (`chip0`), on kernels that have one; else null. */
  readonly folder: string | null
}

/** Where a line is. */
export interface GpioLine {
  readonly chip: GpioChip
  readonly line: number
  /** Its number among all lines of the machine, or null: what the old interface calls it. */
  readonly number: number | null
  /** The folder with `value` and `direction` once it is exported. */
  readonly folder: string
  /** The file that exports it, and what to write there. */
  readonly exportFile: string
  readonly exportText: string
}

/** Where sysfs is mounted unless told otherwise. */
export const SYSFS = '/sys'

/** Labels of that chip: Pi Zero to 3, Pi 4 and CM4, Pi 5. */
const SOC_LABELS: readonly string[] = ['pinctrl-bcm2835', 'pinctrl-bcm2711', 'pinctrl-rp1']

/** The chips of this machine, by label. @param sysfs where sysfs is mounted */
export function listChips(sysfs: string = SYSFS): GpioChip[] {
  const root = join(sysfs, 'class/gpio')
  const names = entries(root).slice(0, 2 * GPIO_CHIPS_MAX)
  const found: GpioChip[] = names.flatMap((name) => legacyChip(root, name) ?? [])
  for (const name of names) {
    const own = ownChip(root, name)
    if (own === null) continue
    // One chip appears under both names; there is nothing else to tell it by.
    const twin = found.findIndex(
      ({ label, lines, folder }) => label === own.label && lines === own.lines && folder === null,
    )
    if (twin < 0) found.push(own)
    else found[twin] = { ...own, base: found[twin]?.base ?? null }
  }
  return found.sort((left, right) => (left.label < right.label ? -1 : left.label > right.label ? 1 : 0))
}

/**
 * Finds a line by the label of its chip: kernels number lines as they like, so that BCM 17 may be 17, 475 or 529.
 * @throws FleetstepError `gpio-unusable`, naming the chips that were seen
 */
export function resolveLine(chip: string, line: number, sysfs: string = SYSFS): GpioLine {
  const root = join(sysfs, 'class/gpio')
  if (!existsSync(root)) {
    throw unusable(`there is no ${root}: run it on a board with GPIO, with a kernel that has GPIO_SYSFS`)
  }
  const chips = listChips(sysfs)
  const wanted = chips.filter(({ label }) => (chip === SOC_CHIP ? SOC_LABELS.includes(label) : label === chip))
  const [found, second] = wanted
  if (found === undefined) {
    const what = chip === SOC_CHIP ? `with the label ${SOC_LABELS.join(', ')}` : `with the label ${chip}`
    const seen = [...new Set(chips.map(({ label }) => label))].join(', ')
    throw unusable(
      `no GPIO chip ${what}: this machine has ${seen === '' ? 'none' : seen}; name one of them as chip in the profile`,
    )
  }
  if (second !== undefined)
    throw unusable(`${wanted.length} GPIO chips have the label ${found.label}: it does not tell which`)
  if (!Number.isInteger(line) || line < 0 || line >= found.lines) {
    throw unusable(`${found.label} has no line ${line}: its lines are 0 to ${found.lines - 1}`)
  }
  return located(root, found, line)
}

/**
 * The device of a chip in the newer interface, as `/dev/gpiochip0`; null if it cannot be told, as where one device has several
 * banks. Source: the kernel's Documentation/userspace-api/gpio.
 */
export function characterDevice({ base, folder }: GpioChip, sysfs: string = SYSFS): string | null {
  const name = base === null ? folder : `gpiochip${base}`
  const parent = join(sysfs, 'class/gpio', name ?? '', 'device')
  const [found, ...others] = entries(parent).filter((entry) => existsSync(join(parent, entry, 'dev')) && isChip(entry))
  return found === undefined || others.length > 0 ? null : `/dev/${found}`
}

function isChip(name: string): boolean {
  return /^gpiochip[0-9]+$/.test(name)
}

/** The old interface first: only it has edges and active_low. */
function located(root: string, chip: GpioChip, line: number): GpioLine {
  if (chip.base !== null) {
    const number = chip.base + line
    const folder = join(root, `gpio${number}`)
    return { chip, line, number, folder, exportFile: join(root, 'export'), exportText: String(number) }
  }
  const folder = join(root, chip.folder ?? '')
  return {
    chip,
    line,
    number: null,
    folder: join(folder, `gpio${line}`),
    exportFile: join(folder, 'export'),
    exportText: String(line),
  }
}

function legacyChip(root: string, name: string): GpioChip | null {
  if (!isChip(name)) return null
  const base = numberIn(join(root, name, 'base'))
  const chip = described(join(root, name))
  return chip === null || base === null ? null : { ...chip, base, folder: null }
}

function ownChip(root: string, name: string): GpioChip | null {
  if (!/^chip[0-9]+$/.test(name) || !existsSync(join(root, name, 'export'))) return null
  const chip = described(join(root, name))
  return chip === null ? null : { ...chip, base: null, folder: name }
}

function described(folder: string): { label: string; lines: number } | null {
  const label = textIn(join(folder, 'label'))
  const lines = numberIn(join(folder, 'ngpio'))
  return label === null || lines === null ? null : { label, lines }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

function textIn(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}

function numberIn(file: string): number | null {
  const text = textIn(file)
  return text !== null && /^[0-9]{1,9}$/.test(text) ? Number(text) : null
}

function unusable(message: string): FleetstepError {
  return new FleetstepError('gpio-unusable', message)
}
