import { FleetstepError } from '../../base/errors.ts'
import type { GpioLine } from './chips.ts'

/** What the kernel's refusal means and what to do, in one line. */
export function gpioFailure({ chip, line, folder }: GpioLine, error: unknown): FleetstepError {
  if (error instanceof FleetstepError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  const message = `line ${line} of ${chip.label} ${explain(code, folder)}`
  return new FleetstepError('gpio-unusable', message, { cause: error })
}

function explain(code: string, folder: string): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `may not be used by this user (${folder}): sudo usermod -aG gpio "$USER", then log in again`
    case 'EBUSY':
      return 'is in use by a driver of the kernel: see /sys/kernel/debug/gpio, and take its overlay out of config.txt'
    case 'EINVAL':
      return 'is refused by the kernel (EINVAL): see which lines the chip has with fleetstep gpio check'
    default:
      return `does not work (${code}): check it with fleetstep gpio check`
  }
}
