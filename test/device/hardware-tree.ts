import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'

/** Files by their path below the root; a value that starts with `-> ` makes a symbolic link. */
export type Tree = Readonly<Record<string, string>>

/** Writes `tree` to a directory of its own, which goes when the test ends. */
export function plantTree(context: TestContext, tree: Tree): string {
  const root = mkdtempSync(join(tmpdir(), 'fleetstep-tree-'))
  context.after(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    if (content.startsWith('-> ')) symlinkSync(content.slice(3), join(root, path))
    else writeFileSync(join(root, path), content)
  }
  return root
}

/** A network interface as sysfs shows it. */
export function networkInterface(name: string, device: string | null, assignType: string, address: string): Tree {
  const home = device === null ? `sys/devices/virtual/net/${name}` : `sys/devices/${device}/net/${name}`
  const files: Record<string, string> = {
    [`sys/class/net/${name}`]: `-> ../../../${home}`,
    [`${home}/addr_assign_type`]: `${assignType}\n`,
    [`${home}/address`]: `${address}\n`,
  }
  if (device !== null) {
    files[`${home}/device`] = '-> ../..'
  }
  return files
}

export const LOOPBACK: Tree = networkInterface('lo', null, '0', '00:00:00:00:00:00')

export const RASPBERRY_PI: Tree = {
  'sys/firmware/devicetree/base/serial-number': '10000000ABCDEF12\0',
  'proc/device-tree': '-> ../sys/firmware/devicetree/base',
  'proc/cpuinfo':
    'processor\t: 0\nBogoMIPS\t: 108.00\n\nRevision\t: c03111\nSerial\t\t: 10000000abcdef12\nModel\t\t: Pi\n',
  'etc/machine-id': '3d1219c7c4c5404aaa1f6d2a48adfda4\n',
  ...LOOPBACK,
  ...networkInterface('eth0', 'platform/scb/fd580000.ethernet', '0', 'dc:a6:32:01:02:03'),
}

export const X86_BOX: Tree = {
  'proc/cpuinfo': 'processor\t: 0\nmodel name\t: Some CPU\n',
  'sys/class/dmi/id/product_uuid': '4C4C4544-0042-3510-8052-B9C04F563232\n',
  'etc/machine-id': '3d1219c7c4c5404aaa1f6d2a48adfda4\n',
  ...LOOPBACK,
  ...networkInterface('docker0', null, '3', '02:42:ac:11:00:01'),
  ...networkInterface('enp3s0', 'pci0000:00/0000:03:00.0', '0', '00:1b:21:3a:4c:5e'),
  ...networkInterface('enp2s0', 'pci0000:00/0000:02:00.0', '0', '00:1B:21:3A:4C:5D'),
  ...networkInterface('enx00249b111213', 'pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0', '0', '00:0e:c6:11:12:13'),
}
