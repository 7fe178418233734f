import { execFile } from 'node:child_process'
import { FleetstepError } from '../../base/errors.ts'
import { GPIO_BIAS_TIMEOUT_MS } from '../../base/limits.ts'
import { characterDevice, resolveLine, SYSFS } from '../../device/gpio/chips.ts'
import { SOC_CHIP } from '../../device/gpio/pin.ts'

type Bias = 'none' | 'pull-up' | 'pull-down'

interface Machine {
  /** Where sysfs is mounted. */
  readonly sysfs: string
  /** In whose PATH the tools are looked for. */
  readonly environment: NodeJS.ProcessEnv
}

/**
 * Sets the pull of a line, which the files of sysfs cannot: with `pinctrl`, which Raspberry Pi OS has, or with `gpioget` of
 * libgpiod, which asks the kernel for it and leaves it so. Before the line is exported, since then it has an owner.
 * @returns null, or why it was not set and what to do
 */
export async function setBias(
  chip: string,
  line: number,
  bias: Bias,
  machine: Machine = { sysfs: SYSFS, environment: process.env },
): Promise<string | null> {
  const { register, option } = WORDS[bias]
  const direct = chip === SOC_CHIP ? await run('pinctrl', ['set', String(line), register], machine) : MISSING
  if (direct.kind === 'done') return null
  const asked = await askKernel(chip, line, option, machine)
  if (asked.kind === 'done') return null
  const failed = asked.kind === 'failed' ? asked : direct
  const why = failed.kind === 'failed' ? failed.reason : 'neither pinctrl nor gpioget is on this machine'
  const advice =
    chip === SOC_CHIP
      ? `add gpio=${line}=ip,${register} to /boot/firmware/config.txt and reboot, or apt-get install gpiod`
      : 'set it in the device tree overlay of the chip, or apt-get install gpiod'
  return `${why}; ${advice}`
}

const WORDS: Readonly<Record<Bias, { readonly register: string; readonly option: string }>> = {
  none: { register: 'pn', option: 'disable' },
  'pull-up': { register: 'pu', option: 'pull-up' },
  'pull-down': { register: 'pd', option: 'pull-down' },
}

/** Version 1 of libgpiod and version 2 have other words. Both leave the pull as it is when they let go of the line. */
async function askKernel(chip: string, line: number, option: string, machine: Machine): Promise<Result> {
  const version = await run('gpioget', ['--version'], machine)
  if (version.kind !== 'done') return version
  const device = deviceOf(chip, line, machine)
  if (device === null) return { kind: 'failed', reason: `the device of chip ${chip} was not found` }
  const isFirst = /v1\./.test(version.output)
  const words = isFirst
    ? [`--bias=${option}`, device, String(line)]
    : ['--bias', option === 'disable' ? 'disabled' : option, '--chip', device, String(line)]
  return await run('gpioget', words, machine)
}

function deviceOf(chip: string, line: number, { sysfs }: Machine): string | null {
  try {
    return characterDevice(resolveLine(chip, line, sysfs).chip, sysfs)
  } catch (error) {
    // Whoever opens the line says so.
    if (error instanceof FleetstepError) return null
    throw error
  }
}

type Result =
  | { readonly kind: 'done'; readonly output: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly reason: string }

const MISSING: Result = { kind: 'missing' }

function run(program: string, words: readonly string[], { environment }: Machine): Promise<Result> {
  return new Promise((resolve) => {
    execFile(program, words, { timeout: GPIO_BIAS_TIMEOUT_MS, env: environment }, (error, output, errors) => {
      if (error === null) return resolve({ kind: 'done', output })
      if ('code' in error && error.code === 'ENOENT') return resolve(MISSING)
      const said = errors.trim().split('\n').at(-1) ?? ''
      resolve({ kind: 'failed', reason: `${program} failed${said === '' ? '' : ` (${said})`}` })
    })
  })
}
