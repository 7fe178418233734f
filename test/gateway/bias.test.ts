import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setBias } from '../../runtime/gateway/devices/bias.ts'
import { PI_3 } from '../device/gpio-tree.ts'
import { plantTree } from '../device/hardware-tree.ts'

// What gpioget does to a line is shown on a real kernel: npm run test:hardware.
describe('the pull of a line', () => {
  it('is set with pinctrl on the header of a Raspberry Pi', async (t) => {
    const { said, machine } = rigOf(t, { pinctrl: '' })
    assert.equal(await setBias('soc', 17, 'pull-up', machine), null)
    assert.equal(await setBias('soc', 17, 'none', machine), null)
    assert.deepEqual(said(), ['pinctrl set 17 pu', 'pinctrl set 17 pn'])
  })

  it('is asked of the kernel with gpioget where there is no pinctrl, and for other chips, by either version', async (t) => {
    const first = rigOf(t, { gpioget: 'echo "gpioget (libgpiod) v1.6.3"' })
    assert.equal(await setBias('soc', 17, 'pull-down', first.machine), null)
    assert.equal(await setBias('raspberrypi-exp-gpio', 3, 'none', first.machine), null)
    assert.deepEqual(
      first.said().filter((line) => !line.includes('--version')),
      ['gpioget --bias=pull-down /dev/gpiochip0 17', 'gpioget --bias=disable /dev/gpiochip2 3'],
    )
    const second = rigOf(t, { gpioget: 'echo "gpioget (libgpiod) v2.2.1"', pinctrl: 'exit 1' })
    assert.equal(await setBias('soc', 17, 'none', second.machine), null)
    assert.equal(second.said().at(-1), 'gpioget --bias disabled --chip /dev/gpiochip0 17')
  })

  it('is left as it is where neither is there or the line has an owner, and people are told what to do', async (t) => {
    const none = rigOf(t, {})
    assert.equal(
      await setBias('soc', 4, 'pull-down', none.machine),
      'neither pinctrl nor gpioget is on this machine; add gpio=4=ip,pd to /boot/firmware/config.txt and reboot, or apt-get install gpiod',
    )
    assert.match(
      (await setBias('raspberrypi-exp-gpio', 3, 'pull-up', none.machine)) ?? '',
      /; set it in the device tree overlay/,
    )
    const script = 'case "$1" in --version) echo v1.6.3 ;; *) echo "gpioget: busy" >&2; exit 1 ;; esac'
    const busy = rigOf(t, { gpioget: script })
    assert.match(
      (await setBias('soc', 4, 'pull-up', busy.machine)) ?? '',
      /^gpioget failed \(gpioget: busy\); add gpio=4=ip,pu to/,
    )
    assert.match(
      (await setBias('soc', 99, 'pull-up', busy.machine)) ?? '',
      /^the device of chip soc was not found; add/,
    )
  })
})

/** A Raspberry Pi 3 whose only programs are these shell scripts, which say how they were called. */
function rigOf(t: TestContext, programs: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'fleetstep-bias-'))
  const log = join(folder, 'log')
  writeFileSync(log, '')
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >> '${log}'\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const sysfs = join(
    plantTree(t, {
      ...PI_3,
      'sys/class/gpio/gpiochip512/device/gpiochip0/dev': '254:0\n',
      'sys/class/gpio/gpiochip504/device/gpiochip2/dev': '254:2\n',
    }),
    'sys',
  )
  return {
    machine: { sysfs, environment: { PATH: folder } },
    said: () => readFileSync(log, 'utf8').split('\n').slice(0, -1),
  }
}
