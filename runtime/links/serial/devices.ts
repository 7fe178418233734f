import { readdirSync, readFileSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SERIAL_DEVICES_MAX, SERIAL_PROCESSES_MAX } from '../../base/limits.ts'

/** A serial port of this machine, as the kernel shows it. It is read anew each time: adapters come and go. */
export interface SerialDevice {
  /** `/dev/ttyUSB0`: it may be another one after the next start. */
  readonly device: string
  /** What to write into the config: it stays with the adapter, or with the socket that it is plugged into. */
  readonly name: string
  readonly usb: UsbAdapter | null
  /** Why it may be no good choice, one line each. */
  readonly warnings: readonly string[]
}

export interface UsbAdapter {
  /** Four lower-case hexadecimal digits each. */
  readonly vendor: string
  readonly product: string
  readonly serialNumber: string | null
  /** The socket: `1-1.2`, and the interface where an adapter has several. */
  readonly socket: string
  readonly description: string
}

export interface PortHolder {
  readonly pid: number
  readonly command: string
}

/** Where a port is now, or why it cannot be told. */
export type Resolved = { readonly device: string } | { readonly problem: string }

/** A machine's file tree; the root is another one in tests. */
export class SerialDevices {
  readonly #root: string

  constructor(root: string = '/') {
    this.#root = root
  }

  list(): SerialDevice[] {
    return this.#names(this.#at('sys/class/tty'))
      .slice(0, SERIAL_DEVICES_MAX)
      .flatMap((tty) => this.#read(tty))
  }

  /**
   * @param port `/dev/…`, `usb:VENDOR:PRODUCT`, `usb:VENDOR:PRODUCT:SERIAL`, or `usb-socket:1-1.2`
   */
  resolve(port: string): Resolved {
    if (port.startsWith('/')) {
      const isThere = this.#exists(port)
      return isThere
        ? { device: port }
        : { problem: `${port} is not there: plug it in; fleetstep serial list shows what is` }
    }
    const matching = this.list().filter((device) => isNamed(device, port))
    const [first, second] = matching
    if (first === undefined)
      return { problem: `no port is ${port} now: plug it in; fleetstep serial list shows what is there` }
    if (second !== undefined) {
      const names = matching.map(({ device, name }) => `${device} as ${name}`).join(', ')
      return { problem: `several ports are ${port}: name one of ${names}` }
    }
    return { device: first.device }
  }

  /** The process that has locked the device, or else has it open, as far as this user may see it. */
  holder(device: string): PortHolder | null {
    const locker = this.#locker(device)
    if (locker !== null) return this.#process(locker)
    const target = this.#real(device)
    const pids = this.#names(this.#at('proc')).filter((name) => /^[0-9]+$/.test(name))
    for (const pid of pids.slice(0, SERIAL_PROCESSES_MAX)) {
      if (Number(pid) === process.pid) continue
      const folder = this.#at('proc', pid, 'fd')
      const isHolding = this.#names(folder).some((fd) => this.#link(join(folder, fd)) === target)
      if (isHolding) return this.#process(Number(pid))
    }
    return null
  }

  #process(pid: number): PortHolder {
    return { pid, command: this.#text('proc', String(pid), 'comm') ?? 'unknown' }
  }

  /** From the kernel's list of locks, which names device and inode of the file. */
  #locker(device: string): number | null {
    const found = stateOf(this.#at(device))
    if (typeof found === 'string') return null
    const major = (found.dev >> 8) & 0xfff
    const minor = (found.dev & 0xff) | ((found.dev >> 12) & 0xfff00)
    const file = `${hexByte(major)}:${hexByte(minor)}:${found.ino}`
    const line = (this.#text('proc', 'locks') ?? '').split('\n').find((lock) => lock.split(/\s+/)[5] === file)
    const pid = Number(line?.split(/\s+/)[4])
    return Number.isInteger(pid) && pid > 0 ? pid : null
  }

  /** Name of the group that may open it: `dialout` on Debian. */
  group(device: string): string {
    try {
      const { gid } = statSync(this.#at(device))
      const lines = (this.#text('etc', 'group') ?? '').split('\n')
      const name = lines.find((line) => line.split(':')[2] === String(gid))?.split(':')[0]
      return name === undefined || name === 'root' ? 'dialout' : name
    } catch {
      return 'dialout'
    }
  }

  /** What else uses the port, or makes it a poor one. @param device as `/dev/ttyS0` or a link to it */
  warnings(device: string): string[] {
    const tty = basename(this.#real(device))
    const warnings: string[] = []
    if (this.#consoles().includes(tty))
      warnings.push(
        `the kernel writes its console to ${tty}: take console=${tty} (or console=serial0) out of /boot/firmware/cmdline.txt`,
      )
    if (this.#hasLogin(tty))
      warnings.push(`a login waits on ${tty}: sudo systemctl disable --now serial-getty@${tty}.service`)
    if (this.#isMiniUart(tty))
      warnings.push(
        `${tty} is the mini-UART, whose baud follows the core clock: use the PL011 (dtoverlay=disable-bt, then /dev/ttyAMA0)`,
      )
    return warnings
  }

  #read(tty: string): SerialDevice[] {
    // The kernel keeps places for ports that no hardware has: they have no device, or no type.
    const folder = this.#at('sys/class/tty', tty)
    if (!this.#exists(join('sys/class/tty', tty, 'device')) || this.#text('sys/class/tty', tty, 'type') === '0')
      return []
    const usb = this.#usb(this.#realPath(join(folder, 'device')))
    const device = `/dev/${tty}`
    return [{ device, name: usb === null ? device : nameOf(usb), usb, warnings: this.warnings(device) }]
  }

  /** The adapter is the nearest folder above the port that names a vendor. */
  #usb(start: string): UsbAdapter | null {
    let socket: string | null = null
    for (
      let folder = start;
      folder.length > this.#root.length && folder !== dirname(folder);
      folder = dirname(folder)
    ) {
      if (/^[0-9]+-[0-9.]+:[0-9]+\.[0-9]+$/.test(basename(folder))) socket ??= basename(folder)
      const vendor = readText(join(folder, 'idVendor'))
      if (vendor === null) continue
      const product = readText(join(folder, 'idProduct')) ?? '0000'
      const interfaces = this.#names(folder).filter((name) => name.startsWith(`${basename(folder)}:`))
      const words = [readText(join(folder, 'manufacturer')), readText(join(folder, 'product'))]
      return {
        vendor,
        product,
        serialNumber: readText(join(folder, 'serial')),
        socket: interfaces.length > 1 && socket !== null ? socket : basename(folder),
        description: words.filter((word) => word !== null).join(' '),
      }
    }
    return null
  }

  #consoles(): string[] {
    const words = (this.#text('proc', 'cmdline') ?? '').split(/\s+/)
    const names = words.filter((word) => word.startsWith('console=')).map((word) => word.slice(8).split(',')[0] ?? '')
    return names.map((name) => basename(this.#real(`/dev/${name}`)))
  }

  #hasLogin(tty: string): boolean {
    return this.#names(this.#at('proc'))
      .filter((name) => /^[0-9]+$/.test(name))
      .slice(0, SERIAL_PROCESSES_MAX)
      .some((pid) => {
        const words = (this.#text('proc', pid, 'cmdline') ?? '').split('\0')
        return (words[0] ?? '').endsWith('getty') && words.some((word) => basename(word) === tty)
      })
  }

  #isMiniUart(tty: string): boolean {
    return (this.#text('sys/class/tty', tty, 'device/of_node/compatible') ?? '').includes('bcm2835-aux-uart')
  }

  /** As the device is called inside of the tree, links followed. */
  #real(device: string): string {
    const real = this.#realPath(this.#at(device))
    return real.startsWith(this.#root) ? join('/', real.slice(this.#root.length)) : real
  }

  #realPath(path: string): string {
    try {
      return realpathSync(path)
    } catch {
      return path
    }
  }

  /** What cannot be looked at (a folder that is closed to this user, links in a circle) may be there: opening it tells why not. */
  #exists(path: string): boolean {
    const found = stateOf(this.#at(path))
    return typeof found !== 'string' || !['ENOENT', 'ENOTDIR'].includes(found)
  }

  #link(path: string): string | null {
    try {
      return readlinkSync(path)
    } catch {
      return null
    }
  }

  #names(folder: string): string[] {
    try {
      return readdirSync(folder).sort()
    } catch {
      return []
    }
  }

  #text(...parts: readonly string[]): string | null {
    return readText(this.#at(...parts))
  }

  #at(...parts: readonly string[]): string {
    return join(this.#root, ...parts)
  }
}

/** @returns the code of errno(3) where there is none, or where it cannot be told */
function stateOf(path: string): Stats | string {
  try {
    return statSync(path)
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : ''
  }
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0')
}

function nameOf({ vendor, product, serialNumber, socket }: UsbAdapter): string {
  return serialNumber === null ? `usb-socket:${socket}` : `usb:${vendor}:${product}:${serialNumber}`
}

function isNamed({ usb }: SerialDevice, port: string): boolean {
  if (usb === null) return false
  const { vendor, product, serialNumber, socket } = usb
  const names = [`usb:${vendor}:${product}`, `usb:${vendor}:${product}:${serialNumber}`, `usb-socket:${socket}`]
  return names.some((name) => name.toLowerCase() === port.toLowerCase())
}

function readText(file: string): string | null {
  try {
    const text = readFileSync(file, 'utf8').replace(/\n$/, '')
    return text === '' ? null : text
  } catch {
    return null
  }
}
