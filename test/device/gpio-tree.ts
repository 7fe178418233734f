import type { Tree } from './hardware-tree.ts'

/** A GPIO chip in the old interface of sysfs: numbers among all lines of the machine. */
export function legacyChip(label: string, base: number, lines: number): Tree {
  const folder = `sys/class/gpio/gpiochip${base}`
  return { [`${folder}/label`]: `${label}\n`, [`${folder}/base`]: `${base}\n`, [`${folder}/ngpio`]: `${lines}\n` }
}

/** A GPIO chip in the interface of newer kernels: an export of its own, numbers from 0. */
export function ownChip(id: number, label: string, lines: number): Tree {
  const folder = `sys/class/gpio/chip${id}`
  return { [`${folder}/label`]: `${label}\n`, [`${folder}/ngpio`]: `${lines}\n`, [`${folder}/export`]: '' }
}

/** A line that the kernel has exported already, since files do not make files. */
export function exportedLine(folder: string, value: '0' | '1' = '0'): Tree {
  return {
    [`sys/class/gpio/${folder}/value`]: `${value}\n`,
    [`sys/class/gpio/${folder}/direction`]: 'in\n',
    [`sys/class/gpio/${folder}/active_low`]: '0\n',
    [`sys/class/gpio/${folder}/edge`]: 'none\n',
  }
}

/** A Raspberry Pi 3 with a kernel that counts from 512, with its port expander before it; BCM 17 and 27 are exported. */
export const PI_3: Tree = {
  'sys/class/gpio/export': '',
  ...legacyChip('raspberrypi-exp-gpio', 504, 8),
  ...legacyChip('pinctrl-bcm2835', 512, 54),
  ...exportedLine('gpio529'),
  ...exportedLine('gpio539', '1'),
}
