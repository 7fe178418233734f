import { execFile } from 'node:child_process'
import { GPIO_BIAS_TIMEOUT_MS } from '../../base/limits.ts'
import { SOC_CHIP } from '../../device/gpio/pin.ts'

const WORDS = { none: 'pn', 'pull-up': 'pu', 'pull-down': 'pd' } as const

/**
 * Sets the pull of a line with `pinctrl`, which Raspberry Pi OS has; the files of sysfs cannot.
 * @returns null, or why it was not set and what to do
 */
export function setBias(chip: string, line: number, bias: keyof typeof WORDS): Promise<string | null> {
  const word = WORDS[bias]
  const advice = `add gpio=${line}=ip,${word} to /boot/firmware/config.txt and reboot`
  if (chip !== SOC_CHIP) return Promise.resolve(`chip ${chip} has no tool for it: set it in its device tree overlay`)
  return new Promise((resolve) => {
    execFile('pinctrl', ['set', String(line), word], { timeout: GPIO_BIAS_TIMEOUT_MS }, (error) => {
      if (error === null) return resolve(null)
      const isMissing = 'code' in error && error.code === 'ENOENT'
      resolve(`${isMissing ? 'there is no pinctrl on this machine' : 'pinctrl failed'}; ${advice}`)
    })
  })
}
