import { setTimeout as sleep } from 'node:timers/promises'
import type { CampaignFleet } from './campaign-fleet.ts'
import { cableEnd } from './campaign-fleet.ts'
import { identityTroubles } from './identity-troubles.ts'
import { CABLES, endsOf, GATEWAYS, HOSTS, MOSQUITTO, NATS, STRANGER } from './plan.ts'
import { trouble, type Trouble, type TroubleKind } from './trouble.ts'
import { upgradeTroubles } from './upgrade-troubles.ts'

/** Every kind of trouble, by its name in the report. */
export const TROUBLES: Readonly<Record<string, TroubleKind>> = {
  kill: ({ fleet, one }) => {
    const name = one(NAMES)
    return trouble(
      `kill -9 of ${name}`,
      [name],
      () => fleet.gateway(name).kill(),
      () => fleet.gateway(name).start(),
    )
  },
  'kill twice': ({ fleet, one }) => {
    const name = one(NAMES)
    const again = async (): Promise<void> => {
      await fleet.gateway(name).kill()
      await fleet.gateway(name).start()
      await sleep(500)
      await fleet.gateway(name).kill()
    }
    return trouble(`kill -9 of ${name}, and again as soon as it is back`, [name], again, () =>
      fleet.gateway(name).start(),
    )
  },
  stop: ({ fleet, one }) => {
    const name = one(NAMES)
    return trouble(
      `SIGSTOP of ${name}`,
      [name],
      () => fleet.gateway(name).freeze(),
      () => fleet.gateway(name).thaw(),
    )
  },
  partition: ({ fleet, below }) => {
    const hosts = HOSTS.map(({ name }) => name).filter((name) => name !== STRANGER.name)
    const left = hosts.filter(() => below(2) === 0)
    const right = hosts.filter((name) => !left.includes(name))
    return trouble(
      `the network falls into two: ${left.join(' ')} and the rest`,
      ['network'],
      () => fleet.backbone.part(left, right),
      () => fleet.backbone.heal(),
    )
  },
  'one way': ({ fleet, one }) => {
    const name = one(NETWORKED)
    const isOut = one([true, false])
    const brokers = [MOSQUITTO, ...NATS].map((host) => host.name)
    return trouble(
      `what ${name} ${isOut ? 'sends' : 'should receive'} vanishes`,
      ['network'],
      () => {
        for (const other of brokers)
          if (isOut) fleet.backbone.cut(name, other)
          else fleet.backbone.cut(other, name)
      },
      () => fleet.backbone.heal(),
    )
  },
  'broker restart': ({ fleet }) =>
    trouble(
      'Mosquitto is killed and comes back with what it had stored',
      ['mosquitto'],
      () => fleet.mosquitto.kill(),
      () => fleet.mosquitto.start(),
    ),
  'broker forgets': ({ fleet }) =>
    trouble(
      'Mosquitto is killed and comes back with nothing',
      ['mosquitto'],
      () => fleet.mosquitto.kill(),
      () => {
        fleet.mosquitto.forget()
        fleet.mosquitto.start()
      },
    ),
  'cluster node': ({ fleet, one }) => {
    const server = one(fleet.nats)
    return trouble(
      `kill -9 of ${server.host}`,
      ['nats'],
      () => server.kill(),
      () => server.start(),
    )
  },
  'cable pulled': ({ fleet, one }) => {
    const name = one(CABLES)
    const end = cableEnd(name, one(endsOf(name)))
    const cable = fleet.cables.get(name)
    return trouble(
      `the adapter ${end} is pulled`,
      [name],
      () => cable?.unplug(end),
      () => cable?.plugIn(end),
    )
  },
  'bit errors': ({ fleet, one }) => {
    const name = one(CABLES)
    const line = fleet.cables.get(name)?.line
    return trouble(
      `one bit of 20,000 flips on ${name}`,
      [name],
      () => line?.setFaults({ bitErrorRate: 5e-5, burstRate: 1e-4, burstBytes: 20 }),
      () => line?.setFaults({}),
    )
  },
  'disk full': ({ fleet, one }) => {
    const name = one(NAMES)
    const disk = fleet.disks.get(name)
    return trouble(
      `the disk of ${name} is full`,
      [name],
      () => disk?.fill(),
      () => disk?.free(),
    )
  },
  'disk slow': ({ fleet, one }) => {
    const name = one(NAMES)
    const disk = fleet.disks.get(name)
    return trouble(
      `the disk of ${name} takes nothing`,
      [name],
      () => disk?.freeze(),
      () => disk?.thaw(),
    )
  },
  'clock in 1970': ({ fleet, one }) => clockOf(fleet, one(NAMES), '-20500d', 'in 1970'),
  'clock ahead': ({ fleet, one }) => clockOf(fleet, one(NAMES), '+7d', 'a week ahead'),
  ...identityTroubles,
  ...upgradeTroubles,
}

const NAMES: readonly string[] = GATEWAYS.map(({ name }) => name)

/** Those that a network reaches. */
const NETWORKED: readonly string[] = GATEWAYS.filter(({ links }) => links.some(({ kind }) => kind !== 'cable')).map(
  ({ name }) => name,
)

function clockOf(fleet: CampaignFleet, name: string, offset: string, where: string): Trouble {
  return trouble(
    `the clock of ${name} is ${where}`,
    [`clock of ${name}`],
    () => fleet.gateway(name).showTime(offset),
    () => fleet.gateway(name).showTime('+0'),
  )
}
