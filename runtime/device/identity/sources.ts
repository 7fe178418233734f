import { closeSync, openSync, readdirSync, readlinkSync, readSync, realpathSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '../../base/bytes.ts'
import { IDENTITY_FILE_BYTES_MAX, IDENTITY_INTERFACES_MAX } from '../../base/limits.ts'
import { denialReason } from './denied-values.ts'
import type { Candidate, Finding, HardwareReport } from './hardware.ts'

export interface HardwareOptions {
  /** Directory that stands for `/`; tests pass a tree of their own. */
  readonly root?: string
  /** Name that the operator gave to this node; it goes before all hardware. */
  readonly override?: string | null
  /**
   * Bytes drawn once at random, the last resort. The caller keeps them with the identity record and passes the same
   * ones at every start; null leaves the source out.
   */
  readonly random?: Uint8Array | null
}

/** Asks every source of identity in turn. Reads small files only, changes nothing, never throws. */
export function readHardware(options: HardwareOptions = {}): HardwareReport {
  const root = options.root ?? '/'
  const candidates: readonly Candidate[] = [
    { source: 'operator-override', finding: readOverride(options.override ?? null) },
    { source: 'device-tree-serial', finding: readFirst(root, DEVICE_TREE_FILES) },
    { source: 'cpuinfo-serial', finding: readCpuinfo(root) },
    { source: 'soc-serial', finding: readFirst(root, ['sys/devices/soc0/serial_number']) },
    { source: 'network-address', finding: readNetworkAddresses(root) },
    { source: 'dmi-product-uuid', finding: readFirst(root, ['sys/class/dmi/id/product_uuid']) },
    { source: 'tpm-endorsement-key', finding: readEndorsementKey(root) },
    { source: 'machine-id', finding: readFirst(root, ['etc/machine-id', 'var/lib/dbus/machine-id']) },
    { source: 'random', finding: readRandom(options.random ?? null) },
  ]
  return { container: findContainer(root), candidates }
}

/** The second is a link to the first on a usual system; either may be masked. */
const DEVICE_TREE_FILES = ['sys/firmware/devicetree/base/serial-number', 'proc/device-tree/serial-number']

type FileText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable'; readonly reason: string }

function readOverride(override: string | null): Finding {
  if (override === null) return { kind: 'absent', reason: 'the operator gave no name' }
  return { kind: 'found', values: [override], where: 'given by the operator' }
}

function readRandom(random: Uint8Array | null): Finding {
  if (random === null) return { kind: 'absent', reason: 'none was drawn' }
  return { kind: 'found', values: [toHex(random)], where: 'drawn on this node' }
}

function readFirst(root: string, paths: readonly string[]): Finding {
  let last: Finding = { kind: 'absent', reason: `there is no /${paths[0]}` }
  for (const path of paths) {
    const file = readText(root, path)
    if (file.kind === 'text') return judge(file.text, `/${path}`)
    if (file.kind === 'unreadable') last = file
  }
  return last
}

/** ARM kernels print one line `Serial : <16 hexadecimal digits>` behind all processors. */
function readCpuinfo(root: string): Finding {
  const file = readText(root, 'proc/cpuinfo')
  if (file.kind === 'absent') return { kind: 'absent', reason: 'there is no /proc/cpuinfo' }
  if (file.kind === 'unreadable') return file
  const serial = /^Serial[ \t]*:(.*)$/m.exec(file.text)?.[1]
  if (serial === undefined) return { kind: 'absent', reason: 'there is no line Serial in /proc/cpuinfo' }
  return judge(serial, '/proc/cpuinfo')
}

/**
 * Addresses that were burnt into a network interface of the board. The lowest one is used, since the order of names
 * can change between two starts; the others are kept, so that a new card beside it changes nothing.
 */
function readNetworkAddresses(root: string): Finding {
  const found: { address: string; where: string }[] = []
  const passedOver: string[] = []
  for (const name of listDirectory(root, 'sys/class/net').slice(0, IDENTITY_INTERFACES_MAX)) {
    const verdict = judgeInterface(root, name)
    if (verdict.kind === 'permanent') found.push(verdict)
    else if (verdict.reason !== null) passedOver.push(`${name} ${verdict.reason}`)
  }
  found.sort((left, right) => (left.address < right.address ? -1 : 1))
  const [first, ...others] = found
  if (first === undefined) {
    const shown = passedOver.slice(0, 4).join(', ')
    return { kind: 'absent', reason: `no permanent address outside of USB${shown === '' ? '' : `: ${shown}`}` }
  }
  return { kind: 'found', values: [first.address, ...others.map((one) => one.address)], where: first.where }
}

type InterfaceVerdict =
  | { readonly kind: 'permanent'; readonly address: string; readonly where: string }
  /** `reason` is null for interfaces that nobody expects here, such as `lo`. */
  | { readonly kind: 'passed-over'; readonly reason: string | null }

/**
 * `addr_assign_type` 0 alone is not enough: `lo` has it with a zero address, and so have virtual interfaces.
 * Source: Documentation/ABI/testing/sysfs-class-net of the Linux kernel; IEEE 802, U/L and I/G bits.
 */
function judgeInterface(root: string, name: string): InterfaceVerdict {
  const path = `sys/class/net/${name}`
  const device = followLink(root, `${path}/device`)
  if (device === null) return { kind: 'passed-over', reason: null }
  if (/\/usb[0-9]*(\/|$)/.test(device) || linkName(root, `${path}/device/subsystem`) === 'usb') {
    return { kind: 'passed-over', reason: 'is on USB' }
  }
  if (readTrimmed(root, `${path}/addr_assign_type`) !== '0') {
    return { kind: 'passed-over', reason: 'has an address that was set or drawn' }
  }
  const address = readTrimmed(root, `${path}/address`)?.toLowerCase() ?? ''
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address)) return { kind: 'passed-over', reason: 'has no Ethernet address' }
  const firstByte = Number.parseInt(address.slice(0, 2), 16)
  if ((firstByte & 0b10) !== 0) return { kind: 'passed-over', reason: 'has a locally administered address' }
  if ((firstByte & 0b01) !== 0) return { kind: 'passed-over', reason: 'has a group address' }
  const denial = denialReason(address)
  if (denial !== null) return { kind: 'passed-over', reason: `is refused: ${denial}` }
  return { kind: 'permanent', address, where: `/${path}/address` }
}

/**
 * A TPM 1.2 shows its public endorsement key as a file. The key of a TPM 2.0 is only had by talking to the chip,
 * which needs its own software stack and rights: such a machine says so, and the next source is used.
 */
function readEndorsementKey(root: string): Finding {
  for (const path of ['sys/class/tpm/tpm0/device/pubek', 'sys/class/tpm/tpm0/pubek']) {
    const file = readText(root, path)
    if (file.kind === 'unreadable') return file
    if (file.kind === 'absent') continue
    const modulus = /Modulus:([0-9a-fA-F\s]+)/.exec(file.text)?.[1]?.replace(/\s/g, '') ?? ''
    if (modulus === '') return { kind: 'absent', reason: `there is no endorsement key in /${path}` }
    return judge(modulus, `/${path}`)
  }
  if (listDirectory(root, 'sys/class/tpm').length === 0) return { kind: 'absent', reason: 'there is no TPM' }
  return { kind: 'unreadable', reason: 'a TPM 2.0 does not show its endorsement key as a file' }
}

/** Marks that the container managers leave, those of Docker, Podman, LXC, systemd and Kubernetes. */
function findContainer(root: string): string | null {
  for (const path of CONTAINER_MARKS) if (existsSync(join(root, path))) return `/${path} exists`
  const cgroup = readText(root, 'proc/1/cgroup')
  if (cgroup.kind === 'text' && CONTAINER_WORDS.test(cgroup.text)) return '/proc/1/cgroup names a container manager'
  const mounts = readText(root, 'proc/self/mountinfo')
  if (mounts.kind === 'text' && mounts.text.split('\n').some(isContainerMount)) {
    return '/proc/self/mountinfo shows mounts of a container manager'
  }
  return null
}

const CONTAINER_MARKS = ['.dockerenv', 'run/.containerenv', 'run/systemd/container', 'dev/lxd/sock']
const CONTAINER_WORDS = /docker|containerd|kubepods|libpod|\/lxc|machine\.slice/
const CONTAINER_MOUNT_POINTS: readonly string[] = ['/', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf']

/** Only what is mounted over these files counts: the host of containers shows their mounts too, at other places. */
function isContainerMount(line: string): boolean {
  const point = line.split(' ')[4]
  return (
    point !== undefined &&
    CONTAINER_MOUNT_POINTS.includes(point) &&
    /\/docker\/|\/containers\/|containerd|kubelet/.test(line)
  )
}

function judge(text: string, where: string): Finding {
  const value = normal(text)
  if (value === '') return { kind: 'absent', reason: `${where} is empty` }
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f\ufffd]/.test(value)) return { kind: 'denied', reason: `${where} holds no plain text` }
  const denial = denialReason(value)
  if (denial !== null) return { kind: 'denied', reason: `${where}: ${denial}` }
  return { kind: 'found', values: [value], where }
}

/** Device-tree text ends with a NUL, sysfs text with a line feed; the case differs between kernels. */
function normal(text: string): string {
  let end = text.length
  while (end > 0 && text.charCodeAt(end - 1) === 0) end -= 1
  return text.slice(0, end).trim().toLowerCase()
}

function readTrimmed(root: string, path: string): string | null {
  const file = readText(root, path)
  return file.kind === 'text' ? file.text.trim() : null
}

function readText(root: string, path: string): FileText {
  let descriptor: number | null = null
  try {
    descriptor = openSync(join(root, path), 'r')
    const buffer = Buffer.allocUnsafe(IDENTITY_FILE_BYTES_MAX)
    let length = 0
    // Files of procfs tell no size and come in pieces.
    for (;;) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null)
      length += count
      if (count === 0 || length === buffer.length) break
    }
    return { kind: 'text', text: buffer.toString('utf8', 0, length) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent' }
    const reason = code === 'EACCES' || code === 'EPERM' ? 'only root may read it' : `reading failed with ${code}`
    return { kind: 'unreadable', reason: `/${path}: ${reason}` }
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}

function listDirectory(root: string, path: string): string[] {
  try {
    return readdirSync(join(root, path)).sort()
  } catch {
    return []
  }
}

function followLink(root: string, path: string): string | null {
  try {
    return realpathSync(join(root, path))
  } catch {
    return null
  }
}

function linkName(root: string, path: string): string | null {
  try {
    return readlinkSync(join(root, path)).split('/').at(-1) ?? null
  } catch {
    return null
  }
}
