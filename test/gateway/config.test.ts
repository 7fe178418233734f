import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { FleetstepError } from '../../runtime/base/errors.ts'
import { CONFIG_BYTES_MAX } from '../../runtime/base/limits.ts'
import { loadConfig, parseConfig } from '../../runtime/gateway/config.ts'
import { exampleConfig } from '../../runtime/gateway/config-example.ts'

const FILE = '/etc/fleetstep/gateway.yaml'

describe('config', () => {
  it('fills in what is left out', () => {
    assert.deepEqual(parseConfig('fleet: { name: f }\ndataDirectory: d\n', FILE), {
      fleet: { name: 'f', members: null, seed: null },
      device: null,
      label: '',
      dataDirectory: '/etc/fleetstep/d',
      storage: { cardEnduranceTb: 16 },
      profile: null,
      gpio: { backend: 'auto', sysfs: '/sys' },
      ports: {},
      broker: null,
      links: [],
      mirror: null,
      controlSocket: null,
      logLevel: 'info',
    })
  })

  it('takes names for serial ports, and tells a wrong one with its place', () => {
    const parse = (line: string) => parseConfig(`fleet: { name: f }\ndataDirectory: d\n${line}\n`, FILE)
    assert.deepEqual(parse('ports: { meter: usb:0403:6001, pump: /dev/ttyS0 }').ports, {
      meter: 'usb:0403:6001',
      pump: '/dev/ttyS0',
    })
    assert.equal(parse('gpio: { backend: simulated }').gpio.backend, 'simulated')
    assert.throws(() => parse('ports: { meter: COM1 }'), /:3:\d+: ports.meter is not right: a port is \/dev\/…/)
    assert.throws(() => parse('gpio: { sysfs: sys }'), /gpio.sysfs is not right: sysfs is an absolute path/)
  })

  it('reads every setting, and file names from the folder of the file', () => {
    const config = parseConfig(
      `
fleet: { name: f, members: [{ node: '0200000000000001', tier: 3 }, { node: '0200000000000002', profile: p.yaml }] }
device: pump-1
label: second
dataDirectory: ../data
storage: { cardEnduranceTb: 80.5 }
profile: pump.yaml
broker: { port: 1884 }
controlSocket: pump.sock
logLevel: warn
links:
  - { kind: mqtt, name: up, servers: ['mqtts://broker:8883'], username: u, passwordFile: p, caFile: /ca.pem }
`,
      FILE,
    )
    assert.deepEqual(config.fleet.members, [
      { node: '0200000000000001', tier: 3 },
      { node: '0200000000000002', profile: '/etc/fleetstep/p.yaml' },
    ])
    assert.equal(config.dataDirectory, '/etc/data')
    assert.equal(config.storage.cardEnduranceTb, 80.5)
    assert.equal(config.profile, '/etc/fleetstep/pump.yaml')
    assert.deepEqual(config.broker, { host: '127.0.0.1', port: 1884 })
    assert.equal(config.controlSocket, '/etc/fleetstep/pump.sock')
    assert.deepEqual(config.links, [
      {
        kind: 'mqtt',
        name: 'up',
        servers: ['mqtts://broker:8883'],
        username: 'u',
        passwordFile: '/etc/fleetstep/p',
        caFile: '/ca.pem',
        certificateFile: null,
        keyFile: null,
      },
    ])
  })

  it('reads serial links, and what is left out of them', () => {
    const config = parseConfig(
      `${LEAST}links:
  - { kind: serial, port: 'usb:0403:6001:A5069RR4' }
  - { kind: serial, name: bus, port: /dev/ttyAMA0, baud: 9600, payload: 64, address: 16 }
`,
      FILE,
    )
    assert.deepEqual(config.links, [
      { kind: 'serial', name: 'serial', port: 'usb:0403:6001:A5069RR4', baud: 115_200, payload: null, address: null },
      { kind: 'serial', name: 'bus', port: '/dev/ttyAMA0', baud: 9600, payload: 64, address: 16 },
    ])
  })

  it('reads links to peers, and their certificates from the folder of the file', () => {
    const files = 'caFile: a.crt, certificateFile: /n.crt, keyFile: n.key'
    const config = parseConfig(
      `${LEAST}links:
  - { kind: peers, peers: ['mqtts://10.0.0.2:1884'], ${files} }
`,
      FILE,
    )
    assert.deepEqual(config.links, [
      {
        kind: 'peers',
        name: 'peers',
        listen: { host: '0.0.0.0', port: 1884 },
        peers: ['mqtts://10.0.0.2:1884'],
        discover: false,
        caFile: '/etc/fleetstep/a.crt',
        certificateFile: '/n.crt',
        keyFile: '/etc/fleetstep/n.key',
      },
    ])
  })

  it('takes the name of a shipped profile as a name', () => {
    assert.equal(parseConfig(`${LEAST}profile: generic-linux\n`, FILE).profile, 'generic-linux')
  })

  it('accepts its own example', () => {
    const { config, node } = exampleConfig()
    const read = parseConfig(config, FILE)
    assert.deepEqual(read.fleet.members, node === null ? null : [{ node, tier: 0 }])
  })

  const LEAST = 'fleet: { name: f }\ndataDirectory: d\n'

  const bad: Readonly<Record<string, { readonly text: string; readonly says: RegExp }>> = {
    'is empty': { text: '', says: /:1:1: is a group of settings/ },
    'is no YAML': { text: 'fleet: {\n  name: f\n', says: /:3:1: .*flow/i },
    'is a list': { text: '- 1\n', says: /:1:1: fleet is missing/ },
    'names a key twice': { text: `${LEAST}dataDirectory: e\n`, says: /:3:1: Map keys must be unique/ },
    'has no fleet': { text: 'dataDirectory: d\n', says: /:1:1: fleet is missing/ },
    'has an unknown setting': { text: `${LEAST}colour: red\n`, says: /:3:9: colour is no setting/ },
    'has a fleet that is text': { text: 'fleet: f\ndataDirectory: d\n', says: /:1:8: fleet is a group of settings/ },
    'has a fleet name with a space': {
      text: "fleet: { name: 'a b' }\ndataDirectory: d\n",
      says: /:1:16: fleet\.name is not right: a name has/,
    },
    'has a data directory that is a number': {
      text: 'fleet: { name: f }\ndataDirectory: 5\n',
      says: /:2:16: dataDirectory is 5, and should be text/,
    },
    'has half of the certificates of peers': {
      text: `${LEAST}links: [{ kind: peers, caFile: a.crt }]\n`,
      says: /give all three, or none/,
    },
    'has peers without TLS where there are certificates': {
      text: `${LEAST}links: [{ kind: peers, peers: ['mqtt://h:1'], caFile: a, certificateFile: b, keyFile: c }]\n`,
      says: /peers are mqtts:\/\/ with caFile/,
    },
    'has peers with TLS and no certificates': {
      text: `${LEAST}links: [{ kind: peers, peers: ['mqtts://h:1'] }]\n`,
      says: /peers are mqtts:\/\/ with caFile/,
    },
    'has a node id without quotes': {
      text: 'fleet:\n  name: f\n  members:\n    - node: 1200000000000001\ndataDirectory: d\n',
      says: /:4:13: fleet\.members\.0\.node is not right: a node id has 16 hexadecimal digits in lower case and in quotes/,
    },
    'has no member': {
      text: 'fleet: { name: f, members: [] }\ndataDirectory: d\n',
      says: /fleet\.members is not right: a fleet has at least one member/,
    },
    'has a member twice': {
      text: "fleet: { name: f, members: [{ node: '0200000000000001' }, { node: '0200000000000001', tier: 1 }] }\ndataDirectory: d\n",
      says: /a node is a member once/,
    },
    'has a link of another kind': {
      text: `${LEAST}links:\n  - kind: pigeon\n`,
      says: /:4:11: links\.0\.kind is "pigeon", and should be mqtt/,
    },
    'names a serial port that is none': {
      text: `${LEAST}links:\n  - { kind: serial, port: ttyUSB0 }\n`,
      says: /:4:27: links\.0\.port is not right: a port is \/dev\/….*fleetstep serial list prints them/,
    },
    'has an address that no bus has': {
      text: `${LEAST}links:\n  - { kind: serial, port: /dev/ttyS0, address: 17 }\n`,
      says: /links\.0\.address is 17, and should be at most 16/,
    },
    'has a server that is no URL': {
      text: `${LEAST}links:\n  - kind: mqtt\n    servers: ['broker:1883']\n`,
      says: /:5:15: links\.0\.servers\.0 is not right: a server is mqtt:\/\/host:port/,
    },
    'has a password in a URL': {
      text: `${LEAST}links:\n  - kind: mqtt\n    servers: ['mqtt://u:secret@broker']\n`,
      says: /links\.0\.servers\.0 is not right/,
    },
    'has two links of one name': {
      text: `${LEAST}links:\n  - { kind: mqtt, servers: ['mqtt://a'] }\n  - { kind: mqtt, servers: ['mqtt://b'] }\n`,
      says: /:4:3: links is not right: two links have the same name/,
    },
    'has a port that is none': {
      text: `${LEAST}broker: { port: 70000 }\n`,
      says: /:3:17: broker\.port is 70000, and should be at most 65535/,
    },
    'has a card that lasts for nothing': {
      text: `${LEAST}storage: { cardEnduranceTb: 0 }\n`,
      says: /:3:29: storage\.cardEnduranceTb is not right: the endurance of a card is its TBW/,
    },
    'has a log level that is none': {
      text: `${LEAST}logLevel: loud\n`,
      says: /:3:11: logLevel is "loud", and should be debug or info or warn or error/,
    },
    'has a broker that would listen everywhere': {
      text: `${LEAST}broker: { host: '' }\n`,
      says: /:3:17: broker\.host is not right: a host is not empty/,
    },
    'has peers that would come from everywhere': {
      text: `${LEAST}links: [{ kind: peers, listen: { host: '' } }]\n`,
      says: /:3:40: links\.0\.listen\.host is not right: a host is not empty/,
    },
    'is nested too deep': { text: `a: ${'['.repeat(50_000)}`, says: /gateway\.yaml/ },
    'unfolds without end': {
      text: `a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n${LEAST}`,
      says: /cannot be read as YAML/,
    },
  }

  for (const [what, { text, says }] of Object.entries(bad)) {
    it(`says where a config ${what}`, () => {
      assert.throws(
        () => parseConfig(text, FILE),
        (error) => {
          assert.ok(error instanceof FleetstepError, String(error))
          assert.equal(error.code, 'config-invalid')
          assert.match(error.message, says)
          assert.ok(error.message.startsWith(FILE), error.message)
          assert.doesNotMatch(error.message, /secret|\n/)
          return true
        },
      )
    })
  }

  it('names the file that it cannot read, and says why', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'fleetstep-config-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const latin = join(folder, 'latin.yaml')
    writeFileSync(latin, Buffer.from(`${LEAST}label: küche\n`, 'latin1'))
    for (const [file, why] of [
      [join('/nowhere', 'gateway.yaml'), 'there is no such file'],
      ['/', 'it is a folder'],
      ['/dev/zero', `it has more than ${CONFIG_BYTES_MAX} bytes`],
      [latin, 'it is not UTF-8: save it as UTF-8'],
    ] as const)
      assert.throws(() => loadConfig(file), {
        code: 'config-invalid',
        message: `cannot read the config ${file}: ${why}; fleetstep config prints an example`,
      })
  })
})
