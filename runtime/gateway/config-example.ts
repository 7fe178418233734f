import { hostname } from 'node:os'
import { FleetstepError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import { deriveNodeId } from '../device/identity/node-id.ts'
import { readHardware } from '../device/identity/sources.ts'

/** A config for this machine that works as it is, and the node id in it; null where the machine shows none. */
export interface ExampleConfig {
  readonly config: string
  readonly node: NodeId | null
}

export function exampleConfig(): ExampleConfig {
  const report = readHardware()
  // A container sees the hardware of its host, so it needs a label; its host name is one that others do not have.
  const label = report.container === null ? '' : hostname().slice(0, 63)
  const node = attempt(() => deriveNodeId(report, label).id)
  return { config: exampleText(node, label), node }
}

function attempt(derive: () => NodeId): NodeId | null {
  try {
    return derive()
  } catch (error) {
    if (error instanceof FleetstepError) return null
    throw error
  }
}

function exampleText(node: NodeId | null, label: string): string {
  return `# One gateway of a Fleetstep fleet. Check it with: fleetstep config check FILE
# Start it with: fleetstep run --config FILE. File names here are relative to the folder of this file.

fleet:
  name: my-fleet
${membersText(node)}

# Tells several nodes on one machine apart; a container must have one that no other on its host has.
${label === '' ? '# label: first' : `label: ${JSON.stringify(label)}`}

# Name of this gateway in paths, as in gateway-1/load. The node id if left out.
device: gateway-1

# What this gateway keeps over a restart and a power cut. It belongs to this node of this fleet alone.
dataDirectory: fleetstep-data

# What its card is good for in terabytes written (TBW of the data sheet), for the life that fleetstep status estimates.
# storage: { cardEnduranceTb: 16 }

# What the device below this gateway has: a YAML file, or a profile that comes with Fleetstep: fleetstep profile list.
profile: generic-linux

# Names for the serial ports of instruments, where the profile names none of its own.
# ports: { meter: usb:0403:6001:A5069RR4 }
# gpio: { backend: simulated }               # to try a profile with GPIO on any machine

# A small fleet needs no other broker: one gateway runs this one, on an address that the others reach. It asks nobody
# for a password. Take it out where there is a broker already.
broker:
  host: 127.0.0.1
  port: 1883

# How it reaches the others. Several servers are brokers of one cluster: each gateway begins at another one, and goes on to the next.
links:
  - kind: mqtt
    servers: [mqtt://127.0.0.1:1883]
    # username: gateway-1
    # passwordFile: /etc/fleetstep/password
    # caFile: /etc/fleetstep/ca.pem          # for mqtts://
    # certificateFile: /etc/fleetstep/gateway.pem
    # keyFile: /etc/fleetstep/gateway.key
  # A cable to another gateway. fleetstep serial list prints the names of the ports that this machine has.
  # - kind: serial
  #   port: usb:0403:6001:A5069RR4
  #   baud: 115200                           # the same on all sides
  #   address: 1                             # only on an RS-485 bus of several: 1 to 16, another one for each
  # Without any broker: this gateway and its peers connect to each other.
  # - kind: peers
  #   listen: { host: 0.0.0.0, port: 1884 }  # null where nobody can connect to this gateway
  #   peers: [mqtt://192.168.1.12:1884]      # one is enough: the others are heard of from it
  #   discover: false                        # true finds peers on the local network by multicast DNS
  #   caFile: authority.crt                  # with all three peers show each other certificates, and are mqtts://;
  #   certificateFile: gateway.crt           # fleetstep broker config --for peers makes them
  #   keyFile: gateway.key

# The state in JSON for Node-RED, Home Assistant or mosquitto_pub: one retained message for each point.
# mirror:
#   servers: [mqtt://192.168.1.2:1883]       # the broker of the first link if left out
#   writes: true                             # people may set what the profile lets them; or a list such as ['hall/**']
#   homeAssistant: true

# controlSocket: /run/fleetstep/gateway-1.sock
logLevel: info                               # debug, info, warn or error
`
}

function membersText(node: NodeId | null): string {
  const rules = `  # All gateways of the fleet, the same list on every one: fleetstep node id prints the id of each.
  # Where two change one point at once, the higher tier stands; in one tier the higher node id.
  # In place of a tier an entry may name a profile whose optional.tier it is. A member with role: observer changes nothing.`
  return node === null
    ? `${rules}
  # This machine shows no id of its own: start it with --node-id NAME, and see fleetstep node id --explain.
  # members:
  #   - { node: '0011223344556677', tier: 0 }`
    : `${rules}
  members:
    - { node: '${node}', tier: 0 }           # this machine
  #  - { node: '0011223344556677', tier: 0 }
  # Or, instead of name and members, a seed of fleetstep seed create: whoever has one joins, and the operator decides.
  # seed: /etc/fleetstep/fleet.seed`
}
