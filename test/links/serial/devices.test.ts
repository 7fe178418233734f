import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SerialDevices } from '../../../runtime/links/serial/devices.ts'
import { plantTree, type Tree } from '../../device/hardware-tree.ts'

/** A USB adapter on a socket, as sysfs shows it. */
function adapter(tty: string, socket: string, ids: Readonly<Record<string, string>>): Tree {
  const usb = `sys/devices/platform/usb1/${socket}`
  const port = `${usb}/${socket}:1.0/${tty}`
  return {
    [`sys/class/tty/${tty}/device`]: `-> ../../../../${port}`,
    [`${port}/port_number`]: '0\n',
    [`dev/${tty}`]: '',
    ...Object.fromEntries(Object.entries(ids).map(([name, value]) => [`${usb}/${name}`, `${value}\n`])),
  }
}

const FTDI = { idVendor: '0403', idProduct: '6001', serial: 'A5069RR4', manufacturer: 'FTDI', product: 'FT232R' }
const CH340 = { idVendor: '1a86', idProduct: '7523', product: 'USB Serial' }

test('an adapter keeps its name when the kernel swaps the devices', (t) => {
  const before = new SerialDevices(
    plantTree(t, { ...adapter('ttyUSB0', '1-1', FTDI), ...adapter('ttyUSB1', '1-2', CH340) }),
  )
  const after = new SerialDevices(
    plantTree(t, { ...adapter('ttyUSB1', '1-1', FTDI), ...adapter('ttyUSB0', '1-2', CH340) }),
  )
  assert.deepEqual(
    before.list().map(({ device, name, usb }) => [device, name, usb?.description]),
    [
      ['/dev/ttyUSB0', 'usb:0403:6001:A5069RR4', 'FTDI FT232R'],
      ['/dev/ttyUSB1', 'usb-socket:1-2', 'USB Serial'],
    ],
  )
  for (const { name, device } of before.list()) {
    assert.deepEqual(before.resolve(name), { device })
    assert.deepEqual(after.resolve(name), { device: device === '/dev/ttyUSB0' ? '/dev/ttyUSB1' : '/dev/ttyUSB0' })
  }
  assert.deepEqual(before.resolve('usb:1A86:7523'), { device: '/dev/ttyUSB1' })
})

test('two adapters of one kind are told apart by their sockets, and a name that fits both is refused', (t) => {
  const devices = new SerialDevices(
    plantTree(t, { ...adapter('ttyUSB0', '1-1.3', CH340), ...adapter('ttyUSB1', '1-1.4', CH340) }),
  )
  assert.deepEqual(devices.resolve('usb:1a86:7523'), {
    problem:
      'several ports are usb:1a86:7523: name one of /dev/ttyUSB0 as usb-socket:1-1.3, /dev/ttyUSB1 as usb-socket:1-1.4',
  })
  assert.deepEqual(devices.resolve('usb-socket:1-1.4'), { device: '/dev/ttyUSB1' })
  assert.deepEqual(devices.resolve('usb-socket:1-9'), {
    problem: 'no port is usb-socket:1-9 now: plug it in; fleetstep serial list shows what is there',
  })
})

test('places that the kernel keeps for ports without hardware are no ports', (t) => {
  const devices = new SerialDevices(
    plantTree(t, {
      'sys/class/tty/ttyS0/device/x': '',
      'sys/class/tty/ttyS0/type': '4\n',
      'sys/class/tty/ttyS1/device/x': '',
      'sys/class/tty/ttyS1/type': '0\n',
      'sys/class/tty/tty1/dev': '4:1\n',
    }),
  )
  assert.deepEqual(devices.list(), [{ device: '/dev/ttyS0', name: '/dev/ttyS0', usb: null, warnings: [] }])
})

test('a console, a login and the mini-UART of a Pi are told with what to do', (t) => {
  const devices = new SerialDevices(
    plantTree(t, {
      'sys/class/tty/ttyS0/device/of_node/compatible': 'brcm,bcm2835-aux-uart\0',
      'sys/class/tty/ttyS0/type': '4\n',
      'sys/class/tty/ttyAMA0/device/of_node/compatible': 'arm,pl011\0arm,primecell\0',
      'dev/ttyS0': '',
      'dev/ttyAMA0': '',
      'dev/serial0': '-> ttyS0',
      'proc/cmdline': 'console=serial0,115200 console=tty1 root=PARTUUID=1 rootwait\n',
      'proc/77/cmdline': ['/sbin/agetty', '-o', '-p -- u', '--keep-baud', '115200,57600', 'ttyS0', 'vt220', ''].join(
        '\0',
      ),
    }),
  )
  const [ama, mini] = devices.list()
  assert.deepEqual(ama?.warnings, [])
  assert.deepEqual(mini?.warnings, devices.warnings('/dev/serial0'))
  assert.equal(mini?.warnings.length, 3)
  assert.match(mini?.warnings[0] ?? '', /console=ttyS0 \(or console=serial0\) out of \/boot\/firmware\/cmdline.txt/)
  assert.match(mini?.warnings[1] ?? '', /sudo systemctl disable --now serial-getty@ttyS0.service/)
  assert.match(mini?.warnings[2] ?? '', /mini-UART/)
})

test('the holder of a port is found by what it has open', (t) => {
  const devices = new SerialDevices(
    plantTree(t, {
      'dev/ttyUSB0': '',
      'proc/41/comm': 'systemd\n',
      'proc/41/fd/0': '-> /dev/null',
      'proc/42/comm': 'minicom\n',
      'proc/42/fd/3': '-> /dev/ttyUSB0',
    }),
  )
  assert.deepEqual(devices.holder('/dev/ttyUSB0'), { pid: 42, command: 'minicom' })
  assert.equal(devices.holder('/dev/ttyUSB1'), null)
})

test('a port that cannot be looked at is said in one line, and ends nobody', (t) => {
  const devices = new SerialDevices(plantTree(t, { 'dev/ttyUSB0': '', 'dev/circle': '-> circle' }))
  assert.deepEqual(devices.resolve('/dev/ttyUSB0/x'), {
    problem: '/dev/ttyUSB0/x is not there: plug it in; fleetstep serial list shows what is',
  })
  // Opening it tells why it does not work.
  assert.deepEqual(devices.resolve('/dev/circle'), { device: '/dev/circle' })
  for (const port of ['/dev/ttyUSB0/x', '/dev/circle']) assert.equal(devices.holder(port), null)
})
