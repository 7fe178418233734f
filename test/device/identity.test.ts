import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { FleetstepError, type ErrorCode } from '../../runtime/base/errors.ts'
import { isNodeId } from '../../runtime/base/ids.ts'
import { seededRandom } from '../../runtime/base/random.ts'
import { denialReason } from '../../runtime/device/identity/denied-values.ts'
import { IDENTITY_SOURCES, type HardwareReport, type IdentitySource } from '../../runtime/device/identity/hardware.ts'
import { deriveNodeId, drawRandomIdentity, explainNodeId, nodeIdOf } from '../../runtime/device/identity/node-id.ts'
import { compareWithRecord, parseIdentityRecord, type IdentityRecord } from '../../runtime/device/identity/record.ts'
import { readHardware, type HardwareOptions } from '../../runtime/device/identity/sources.ts'
import { LOOPBACK, networkInterface, plantTree, RASPBERRY_PI, X86_BOX, type Tree } from './hardware-tree.ts'

describe('node id', () => {
  it('is pinned: the same hardware and label give the same id for ever', () => {
    // Each by: printf 'fleetstep/node-id/v1\0SOURCE\0VALUE\0LABEL' | sha256sum, then the two bits of the first byte.
    const golden: readonly (readonly [IdentitySource, string, string, string])[] = [
      ['device-tree-serial', '10000000abcdef12', '', 'fab8889776a6ae58'],
      ['device-tree-serial', '10000000abcdef12', 'cell-2', '2ea9a7769dbe75d1'],
      ['network-address', '00:1b:21:3a:4c:5d', '', '32dc9b708cc59fd9'],
      ['machine-id', '3d1219c7c4c5404aaa1f6d2a48adfda4', '', '82e0fc4c329e7bd0'],
      ['operator-override', 'pump station 3', '', '1e87b736dc1c8a2f'],
    ]
    for (const [source, value, label, id] of golden) assert.equal(nodeIdOf(source, value, label), id)
  })

  it('has the form of a node id with the U/L bit set and the group bit clear, whatever the value', () => {
    fc.assert(
      fc.property(text(), text(), (value, label) => {
        const id = nodeIdOf('random', value, label)
        assert.ok(isNodeId(id))
        assert.equal(Number.parseInt(id.slice(0, 2), 16) & 0b11, 0b10)
      }),
    )
  })

  it('keeps value and label apart, so that no two pairs run together', () => {
    assert.notEqual(nodeIdOf('random', 'ab', 'c'), nodeIdOf('random', 'a', 'bc'))
    assert.throws(() => nodeIdOf('random', 'a\0b', ''), /holds a NUL/)
  })

  it('takes the device-tree serial of a Raspberry Pi before all else', (context) => {
    const report = read(context, RASPBERRY_PI)
    const identity = deriveNodeId(report, '')
    assert.equal(identity.source, 'device-tree-serial')
    assert.equal(identity.id, 'fab8889776a6ae58')
    assert.equal(identity.fingerprint, '794f7dea3b554c1cb789b23a9d431fef')
    assert.deepEqual(identity.warnings, [])
    assert.deepEqual(
      explainNodeId(report).map(({ source, verdict }) => `${source} ${verdict}`),
      [
        'operator-override absent',
        'device-tree-serial used',
        'cpuinfo-serial skipped',
        'soc-serial absent',
        'network-address skipped',
        'dmi-product-uuid absent',
        'tpm-endorsement-key absent',
        'machine-id skipped',
        'random absent',
      ],
    )
  })

  it('takes /proc/cpuinfo where the device tree shows no serial', (context) => {
    const { 'sys/firmware/devicetree/base/serial-number': _, 'proc/device-tree': __, ...tree } = RASPBERRY_PI
    assert.equal(deriveNodeId(read(context, tree), '').source, 'cpuinfo-serial')
  })

  it('takes the serial of the system on chip next', (context) => {
    const tree = { 'proc/cpuinfo': 'Serial : 0000000000000000\n', 'sys/devices/soc0/serial_number': '0123AB45\n' }
    assert.equal(deriveNodeId(read(context, tree), '').source, 'soc-serial')
  })

  it('takes the lowest permanent address of an x86 box, in lower case, and never one on USB', (context) => {
    const report = read(context, X86_BOX)
    const identity = deriveNodeId(report, '')
    assert.equal(identity.source, 'network-address')
    assert.equal(identity.id, '32dc9b708cc59fd9')
    assert.deepEqual(findingOf(report, 'network-address'), {
      kind: 'found',
      values: ['00:1b:21:3a:4c:5d', '00:1b:21:3a:4c:5e'],
      where: '/sys/class/net/enp2s0/address',
    })
  })

  const passedOver: readonly (readonly [string, Tree])[] = [
    ['is on USB', networkInterface('eth1', 'pci0000:00/usb1/1-1/1-1:1.0', '0', '00:0e:c6:11:12:13')],
    [
      'has an address that was set or drawn',
      networkInterface('wlan0', 'pci0000:00/0000:04:00.0', '3', '00:1b:21:3a:4c:5d'),
    ],
    ['has a locally administered address', networkInterface('eth0', 'pci0000:00/virtio2', '0', '02:fc:00:00:00:01')],
    ['has a group address', networkInterface('eth0', 'pci0000:00/0000:04:00.0', '0', '01:1b:21:3a:4c:5d')],
    ['is refused: "00:11:22:33:44:55"', networkInterface('eth0', 'pci0000:00/0000:04:00.0', '0', '00:11:22:33:44:55')],
    ['has no Ethernet address', networkInterface('ib0', 'pci0000:00/0000:04:00.0', '0', '80:00:02:08:fe:80:00:00')],
    ['is refused: "00:00:00:00:00:00"', networkInterface('eth0', 'pci0000:00/0000:04:00.0', '0', '00:00:00:00:00:00')],
  ]
  for (const [reason, tree] of passedOver) {
    it(`passes over a network interface that ${reason}`, (context) => {
      const finding = findingOf(read(context, { ...LOOPBACK, ...tree }), 'network-address')
      assert.equal(finding.kind, 'absent')
      assert.match(finding.kind === 'absent' ? finding.reason : '', new RegExp(reason))
    })
  }

  it('passes over an interface without a device, such as lo, without a word', (context) => {
    assert.deepEqual(findingOf(read(context, LOOPBACK), 'network-address'), {
      kind: 'absent',
      reason: 'no permanent address outside of USB',
    })
  })

  it('takes the DMI product UUID where no network interface is its own', (context) => {
    const tree = { 'sys/class/dmi/id/product_uuid': '4C4C4544-0042-3510-8052-B9C04F563232\n' }
    assert.equal(deriveNodeId(read(context, tree), '').source, 'dmi-product-uuid')
  })

  it('takes the endorsement key of a TPM 1.2, and says of a TPM 2.0 that it does not show one', (context) => {
    const pubek = `Algorithm: 00 00 00 01\nModulus:\n${'A1 B2 C3 D4 \n'.repeat(64)}`
    const old = { 'sys/class/tpm/tpm0/device/pubek': pubek }
    assert.equal(deriveNodeId(read(context, old), '').source, 'tpm-endorsement-key')
    const recent = { 'sys/class/tpm/tpm0/tpm_version_major': '2\n' }
    assert.equal(findingOf(read(context, recent), 'tpm-endorsement-key').kind, 'unreadable')
  })

  it('warns when it had to take the machine-id, which a cloned card carries too', (context) => {
    const tree = { 'etc/machine-id': '3d1219c7c4c5404aaa1f6d2a48adfda4\n' }
    const identity = deriveNodeId(read(context, tree), '')
    assert.equal(identity.id, '82e0fc4c329e7bd0')
    assert.match(identity.warnings[0] ?? '', /same on all cards written from one image/)
    const clone = deriveNodeId(read(context, tree), '')
    assert.equal(clone.id, identity.id, 'which is why it warns')
  })

  it('warns when it had to take bytes drawn at random', (context) => {
    const random = drawRandomIdentity(seededRandom(7))
    assert.equal(random.length, 16)
    const identity = deriveNodeId(read(context, {}, { random }), '')
    assert.equal(identity.source, 'random')
    assert.match(identity.warnings[0] ?? '', /drawn at random/)
    assert.notEqual(
      deriveNodeId(read(context, {}, { random: drawRandomIdentity(seededRandom(8)) }), '').id,
      identity.id,
    )
  })

  it('names a better source that could not be read beside a weak one', (context) => {
    const tree = { 'etc/machine-id': '3d1219c7c4c5404aaa1f6d2a48adfda4\n', 'sys/class/tpm/tpm0/dev': '10:224\n' }
    assert.match(deriveNodeId(read(context, tree), '').warnings[1] ?? '', /better source could not be read: a TPM 2.0/)
  })

  it('says that only root may read the DMI UUID', (context) => {
    const root = plantTree(context, { 'sys/class/dmi/id/product_uuid': '4c4c4544-0042-3510-8052-b9c04f563232\n' })
    chmodSync(root, 0o755)
    chmodSync(join(root, 'sys/class/dmi/id/product_uuid'), 0)
    assert.deepEqual(
      findingOf(
        asNobody(() => readHardware({ root })),
        'dmi-product-uuid',
      ),
      {
        kind: 'unreadable',
        reason: '/sys/class/dmi/id/product_uuid: only root may read it',
      },
    )
  })

  it('takes a source that cannot be read as such, not as an error', (context) => {
    const report = read(context, { 'etc/machine-id/file': 'a directory is in the place' })
    assert.deepEqual(findingOf(report, 'machine-id'), {
      kind: 'unreadable',
      reason: '/etc/machine-id: reading failed with EISDIR',
    })
  })

  it('takes the name that the operator gave before all hardware, and in a container without a label', (context) => {
    const tree = { ...RASPBERRY_PI, '.dockerenv': '' }
    const identity = deriveNodeId(read(context, tree, { override: 'pump station 3' }), '')
    assert.equal(identity.source, 'operator-override')
    assert.equal(identity.id, '1e87b736dc1c8a2f')
  })

  it('refuses names and labels that are no short plain text', (context) => {
    for (const bad of ['', ' ', 'a\nb', ' a', 'x'.repeat(65), '\ud800']) {
      throwsCode('config-invalid', () => deriveNodeId(read(context, {}, { override: bad }), ''))
      if (bad !== '') throwsCode('config-invalid', () => deriveNodeId(read(context, RASPBERRY_PI), bad))
    }
  })

  it('says what to do on a machine without any source', (context) => {
    const report = read(context, {})
    throwsCode('identity-unavailable', () => deriveNodeId(report, ''), /--node-id/)
    assert.ok(explainNodeId(report).every(({ verdict }) => verdict === 'absent'))
  })
})

describe('values that many machines share', () => {
  const denied = [
    '0000000000000000',
    'ffffffffffffffff',
    'c3d9b8674f4b94f6',
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '03000200-0400-0500-0006-000700080009',
    'to be filled by o.e.m.',
    '0123456789',
    '123456789',
    '0123456789abcdef',
    'uninitialized',
    '7',
  ]
  for (const value of denied) it(`are denied: ${value}`, () => assert.notEqual(denialReason(value), null))

  it('are few: usual serials pass', () => {
    for (const value of ['10000000abcdef12', '4c4c4544-0042-3510-8052-b9c04f563232', 'cn0x1234', '00:1b:21:3a:4c:5d']) {
      assert.equal(denialReason(value), null)
    }
  })

  it('are told as denied, and the next source is used', (context) => {
    const report = read(context, {
      ...RASPBERRY_PI,
      'sys/firmware/devicetree/base/serial-number': 'C3D9B8674F4B94F6\0',
    })
    assert.equal(deriveNodeId(report, '').source, 'cpuinfo-serial')
    const denial = explainNodeId(report).find(({ verdict }) => verdict === 'denied')
    assert.match(denial?.reason ?? '', /Rockchip/)
  })

  it('include what is no text at all', (context) => {
    const report = read(context, { 'sys/devices/soc0/serial_number': 'ab\u0001cdef' })
    assert.equal(findingOf(report, 'soc-serial').kind, 'denied')
  })
})

describe('in a container', () => {
  const hints: Readonly<Record<string, Tree>> = {
    Docker: { '.dockerenv': '' },
    Podman: { 'run/.containerenv': '' },
    'systemd-nspawn or LXC': { 'run/systemd/container': 'lxc' },
    'Kubernetes by cgroup': { 'proc/1/cgroup': '0::/kubepods.slice/pod1\n' },
    'containerd by mounts': {
      'proc/self/mountinfo':
        '1 2 0:5 /a /etc/hosts rw - ext4 /dev/sda1 rw\n3 2 0:6 / / rw - overlay overlay rw,lowerdir=/var/lib/containerd/x\n',
    },
  }
  for (const [manager, tree] of Object.entries(hints)) {
    it(`of ${manager} an instance label is required, since the hardware is that of the host`, (context) => {
      const report = read(context, { ...RASPBERRY_PI, ...tree })
      throwsCode('identity-unavailable', () => deriveNodeId(report, ''), /container.*instance label/)
      const one = deriveNodeId(report, 'one')
      const two = deriveNodeId(report, 'two')
      assert.notEqual(one.id, two.id)
      assert.equal(one.fingerprint, two.fingerprint)
    })
  }

  it('but not on a host that merely runs containers, or has its root on an overlay', (context) => {
    const mountinfo = [
      '1 2 0:5 / / rw - overlay overlay rw,lowerdir=/lower,upperdir=/upper',
      '3 1 0:6 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/x',
    ]
    const tree = { ...RASPBERRY_PI, 'proc/self/mountinfo': mountinfo.join('\n'), 'proc/1/cgroup': '0::/init.scope\n' }
    assert.equal(read(context, tree).container, null)
  })
})

describe('a stored identity', () => {
  const MOVED: Tree = { ...RASPBERRY_PI, 'sys/firmware/devicetree/base/serial-number': '10000000deadbee1\0' }

  it('is the same on the same machine', (context) => {
    assert.deepEqual(compare(context, recordOn(context, RASPBERRY_PI), RASPBERRY_PI), { kind: 'same' })
    assert.deepEqual(compare(context, recordOn(context, X86_BOX), X86_BOX), { kind: 'same' })
  })

  it('notices that its card is in another machine', (context) => {
    assert.equal(compare(context, recordOn(context, RASPBERRY_PI), MOVED).kind, 'hardware-changed')
    assert.equal(compare(context, recordOn(context, RASPBERRY_PI), X86_BOX).kind, 'hardware-changed')
    assert.equal(compare(context, recordOn(context, X86_BOX), RASPBERRY_PI).kind, 'hardware-changed')
  })

  it('stays when a newer kernel shows a better source', (context) => {
    const { 'sys/firmware/devicetree/base/serial-number': _, 'proc/device-tree': __, ...before } = RASPBERRY_PI
    const record = recordOn(context, before)
    assert.equal(record.source, 'cpuinfo-serial')
    assert.deepEqual(compare(context, record, RASPBERRY_PI), { kind: 'same' })
  })

  it('stays when a network card with a lower address is put in', (context) => {
    const more = { ...X86_BOX, ...networkInterface('enp1s0', 'pci0000:00/0000:01:00.0', '0', '00:02:b3:00:00:01') }
    assert.deepEqual(compare(context, recordOn(context, X86_BOX), more), { kind: 'same' })
  })

  it('is unconfirmed, not another, while its network interface is not there', (context) => {
    const late = { 'sys/class/dmi/id/product_uuid': '4C4C4544-0042-3510-8052-B9C04F563232\n' }
    assert.equal(compare(context, recordOn(context, X86_BOX), late).kind, 'unconfirmed')
  })

  it('is unconfirmed while its source cannot be read', (context) => {
    const record = recordOn(context, { 'etc/machine-id': '3d1219c7c4c5404aaa1f6d2a48adfda4\n' })
    assert.equal(compare(context, record, { 'etc/machine-id/file': '' }).kind, 'unconfirmed')
  })

  it('made by machine-id or at random is not trusted on a machine that shows hardware', (context) => {
    const { 'etc/machine-id': machineId = '' } = RASPBERRY_PI
    const weak = recordOn(context, { 'etc/machine-id': machineId })
    assert.equal(weak.source, 'machine-id')
    assert.deepEqual(compare(context, weak, { 'etc/machine-id': machineId }), { kind: 'same' })
    assert.equal(compare(context, weak, RASPBERRY_PI).kind, 'hardware-changed')
  })

  it('changes with the name and with the label', (context) => {
    const record = recordOn(context, RASPBERRY_PI)
    const named = read(context, RASPBERRY_PI, { override: 'a' })
    assert.equal(compareWithRecord(record, read(context, RASPBERRY_PI), 'other').kind, 'settings-changed')
    assert.equal(compareWithRecord(record, named, '').kind, 'settings-changed')
    const ofName: IdentityRecord = { ...deriveNodeId(named, ''), random: null }
    assert.deepEqual(compareWithRecord(ofName, named, ''), { kind: 'same' })
    assert.equal(compareWithRecord(ofName, read(context, RASPBERRY_PI), '').kind, 'settings-changed')
    assert.equal(compareWithRecord(ofName, read(context, RASPBERRY_PI, { override: 'b' }), '').kind, 'settings-changed')
  })

  it('is read back whole or refused', () => {
    const record = { id: 'fab8889776a6ae58', source: 'random', fingerprint: '0'.repeat(32), random: 'ab'.repeat(16) }
    assert.deepEqual(parseIdentityRecord(record, 'identity.json'), record)
    for (const bad of [null, 'x', {}, { ...record, id: 'X' }, { ...record, source: 'wish' }, { ...record, more: 1 }]) {
      throwsCode('data-directory-damaged', () => parseIdentityRecord(bad, 'identity.json'), /identity\.json/)
    }
  })
})

it('this very machine answers for every source, in the documented order', () => {
  const report = readHardware()
  assert.deepEqual(
    report.candidates.map(({ source }) => source),
    IDENTITY_SOURCES,
  )
  const again = deriveNodeId(readHardware({ override: 'x' }), 'y')
  assert.equal(again.id, nodeIdOf('operator-override', 'x', 'y'))
})

/** Root may read everything, so a test that runs as root steps back from it for a moment. */
function asNobody<Result>(action: () => Result): Result {
  if (process.geteuid?.() !== 0) return action()
  process.seteuid?.(65_534)
  try {
    return action()
  } finally {
    process.seteuid?.(0)
  }
}

function text(): fc.Arbitrary<string> {
  return fc.string().map((any) => any.replaceAll('\0', ''))
}

function read(context: TestContext, tree: Tree, options: HardwareOptions = {}): HardwareReport {
  return readHardware({ ...options, root: plantTree(context, tree) })
}

function findingOf(report: HardwareReport, source: IdentitySource) {
  const candidate = report.candidates.find((one) => one.source === source)
  assert.ok(candidate)
  return candidate.finding
}

function recordOn(context: TestContext, tree: Tree): IdentityRecord {
  const { id, source, fingerprint } = deriveNodeId(read(context, tree), '')
  return { id, source, fingerprint, random: null }
}

function compare(context: TestContext, record: IdentityRecord, tree: Tree) {
  return compareWithRecord(record, read(context, tree), '')
}

function throwsCode(code: ErrorCode, action: () => unknown, message: RegExp = /./): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof FleetstepError)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.doesNotMatch(error.message, /\n/)
    return true
  })
}
