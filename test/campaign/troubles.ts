import { setTimeout as sleep } from 'node:timers/promises'
import type { BrokerProcess } from './brokers.ts'
import { cableEnd } from './campaign-fleet.ts'
import { guardCauses } from './guard-causes.ts'
import { identityTroubles } from './identity-troubles.ts'
import { type LogMarks, logMarks, logSince } from './logs.ts'
import { outputTroubles } from './output-troubles.ts'
import { addressOf, CABLES, endsOf, GATEWAYS, HOSTS, MOSQUITTO, NATS, STRANGER } from './plan.ts'
import { killed, linkDown, linkedTo, logged, strangeTime } from './signs.ts'
import { type Scene, trouble, type Trouble, type TroubleKind } from './trouble.ts'
import { upgradeTroubles } from './upgrade-troubles.ts'

/** Every kind of trouble, by its name in the report. */
export const TROUBLES: Readonly<Record<string, TroubleKind>> = {
  kill: (scene) => kill(scene, false),
  'kill twice': (scene) => kill(scene, true),
  stop,
  partition,
  'one way': oneWay,
  'broker restart': ({ fleet }) =>
    brokerRestart(fleet, 'Mosquitto is killed and comes back with what it had stored', () => fleet.mosquitto.start()),
  'broker forgets': ({ fleet }) =>
    brokerRestart(fleet, 'Mosquitto is killed and comes back with nothing', () => {
      fleet.mosquitto.forget()
      fleet.mosquitto.start()
    }),
  'cluster node': ({ fleet, one }) => clusterNode(fleet, one(fleet.nats)),
  'cable pulled': cablePulled,
  'bit errors': bitErrors,
  'disk full': diskFull,
  'disk slow': diskSlow,
  'clock in 1970': (scene) => clockOf(scene, '-20500d', 'in 1970'),
  'clock ahead': (scene) => clockOf(scene, '+7d', 'a week ahead'),
  ...outputTroubles,
  ...identityTroubles,
  ...upgradeTroubles,
}

const NAMES: readonly string[] = GATEWAYS.map(({ name }) => name)

/** Those that a network reaches. */
const NETWORKED: readonly string[] = GATEWAYS.filter(({ links }) => links.some(({ kind }) => kind !== 'cable')).map(
  ({ name }) => name,
)

function kill({ fleet, one }: Scene, isTwice: boolean): Trouble {
  const name = one(NAMES)
  const gateway = fleet.gateway(name)
  let pid: number | null = null
  return trouble({
    what: `kill -9 of ${name}${isTwice ? ', and again as soon as it is back' : ''}`,
    claims: [name],
    begin: async () => {
      pid = gateway.pid
      await gateway.kill()
      if (!isTwice) return
      await gateway.start()
      await sleep(500)
      pid = gateway.pid
      await gateway.kill()
    },
    end: async () => await gateway.start(),
    struck: () => killed(gateway, pid),
    alarms: () => guardCauses(name),
  })
}

/**
 * It stands still for long. One that has outputs is killed by the guard of its outputs meanwhile: its supervisor starts it again
 * while the trouble lasts, and what is thawed then is another process.
 */
function stop({ fleet, one, below, longMs }: Scene): Trouble {
  const name = one(NAMES)
  const gateway = fleet.gateway(name)
  const { leastMs, mostMs } = longMs()
  const lastsMs = leastMs + below(Math.max(1, mostMs - leastMs))
  let pid: number | null = null
  let beganAt = 0
  let sign: string | null = null
  return trouble({
    what: `SIGSTOP of ${name} for ${Math.round(lastsMs / 1000)} s`,
    claims: [name],
    lastsMs,
    begin: () => {
      pid = gateway.pid
      beganAt = performance.now()
      gateway.freeze()
    },
    end: async () => {
      if (gateway.pid === pid) gateway.thaw()
      while (!gateway.isRunning) await sleep(200)
    },
    struck: () => {
      if (pid === null) return null
      const seconds = Math.round((performance.now() - beganAt) / 1000)
      if (gateway.pid === pid && gateway.isFrozen) sign = `process ${pid} stands still`
      if (gateway.pid !== pid && sign?.includes('guard') !== true)
        sign = `process ${pid} stood still and was killed by its guard within ${seconds} s`
      return sign
    },
    alarms: () => guardCauses(name),
  })
}

function partition({ fleet, below }: Scene): Trouble {
  const hosts = HOSTS.map(({ name }) => name).filter((name) => name !== STRANGER.name)
  const left = hosts.filter(() => below(2) === 0)
  const right = hosts.filter((name) => !left.includes(name))
  return cut(fleet, `the network falls into two: ${left.join(' ')} and the rest`, () =>
    fleet.backbone.part(left, right),
  )
}

function oneWay({ fleet, one }: Scene): Trouble {
  const name = one(NETWORKED)
  const isOut = one([true, false])
  const plan = GATEWAYS.find((gateway) => gateway.name === name)
  const peers = plan?.links.some(({ kind }) => kind === 'peers') === true ? PEERED.filter((peer) => peer !== name) : []
  const others = [...[MOSQUITTO, ...NATS].map((host) => host.name), ...peers]
  return cut(fleet, `what ${name} ${isOut ? 'sends' : 'should receive'} vanishes`, () => {
    for (const other of others)
      if (isOut) fleet.backbone.cut(name, other)
      else fleet.backbone.cut(other, name)
  })
}

/** The pair that needs no broker. */
const PEERED: readonly string[] = GATEWAYS.filter(({ links }) => links.some(({ kind }) => kind === 'peers')).map(
  ({ name }) => name,
)

function cut(fleet: Scene['fleet'], what: string, begin: () => void): Trouble {
  let before = 0
  let vanished = 0
  const look = (): void => {
    vanished = Math.max(vanished, fleet.backbone.vanished() - before)
  }
  return trouble({
    what,
    claims: ['network'],
    begin: () => {
      begin()
      before = fleet.backbone.vanished()
    },
    end: () => {
      look()
      fleet.backbone.heal()
    },
    struck: () => {
      look()
      return vanished > 0 ? `${vanished} packets vanished` : null
    },
  })
}

function brokerRestart(fleet: Scene['fleet'], what: string, comeBack: () => void): Trouble {
  let sign: string | null = null
  return trouble({
    what,
    claims: [MOSQUITTO.name],
    begin: async () => await fleet.mosquitto.kill(),
    end: comeBack,
    struck: async () => (sign ??= await linkDown(fleet, MOSQUITTO.name)),
  })
}

/** It strikes only whoever was connected to it. */
function clusterNode(fleet: Scene['fleet'], server: BrokerProcess): Trouble {
  let connected: readonly string[] = []
  let sign: string | null = null
  return trouble({
    what: `kill -9 of ${server.host}`,
    claims: ['nats'],
    begin: async () => {
      connected = await linkedTo(fleet, 'nats', addressOf(server.host))
      await server.kill()
    },
    end: () => server.start(),
    struck: async () => {
      if (sign !== null || connected.length === 0) return sign
      const still = await linkedTo(fleet, 'nats', addressOf(server.host))
      const gone = connected.filter((name) => !still.includes(name))
      return (sign = gone.length === 0 ? null : `${gone.join(' ')} had to leave it`)
    },
  })
}

function cablePulled({ fleet, one }: Scene): Trouble {
  const name = one(CABLES)
  const gateway = one(endsOf(name))
  const end = cableEnd(name, gateway)
  const cable = fleet.cables.get(name)
  let sign: string | null = null
  return trouble({
    what: `the adapter ${end} is pulled`,
    claims: [name],
    begin: async () => await cable?.unplug(end),
    end: async () => await cable?.plugIn(end),
    struck: async () => (sign ??= await linkDown(fleet, name, [gateway])),
  })
}

function bitErrors({ fleet, one }: Scene): Trouble {
  const name = one(CABLES)
  const line = fleet.cables.get(name)?.line
  let before = 0
  return trouble({
    what: `one bit of 20,000 flips on ${name}`,
    claims: [name],
    begin: () => {
      before = line?.damaged ?? 0
      line?.setFaults({ bitErrorRate: 5e-5, burstRate: 1e-4, burstBytes: 20 })
    },
    end: () => line?.setFaults({}),
    struck: () => {
      const damaged = (line?.damaged ?? 0) - before
      return damaged > 0 ? `${damaged} bits or bursts were damaged` : null
    },
  })
}

function diskFull({ fleet, one }: Scene): Trouble {
  const name = one(NAMES)
  const disk = fleet.disks.get(name)
  let marks: LogMarks = new Map()
  return trouble({
    what: `the disk of ${name} is full`,
    claims: [name],
    begin: () => {
      marks = logMarks(fleet)
      disk?.fill()
    },
    end: () => disk?.free(),
    struck: () => logged(fleet, marks, name, /local changes are refused|no space left|ENOSPC/i),
  })
}

/** One change is sent to it, which cannot be durable before the disk goes on. */
function diskSlow({ fleet, load, one }: Scene): Trouble {
  const name = one(NAMES)
  const disk = fleet.disks.get(name)
  let sentAt = 0
  let change: Promise<unknown> = Promise.resolve()
  let isAnswered = false
  let sign: string | null = null
  return trouble({
    what: `the disk of ${name} takes nothing`,
    claims: [name],
    begin: () => {
      disk?.freeze()
      sentAt = performance.now()
      change = load.change(fleet.gateway(name), 'wait for the disk', {}).finally(() => (isAnswered = true))
    },
    end: async () => {
      disk?.thaw()
      await change
    },
    struck: () => {
      const waitedMs = performance.now() - sentAt
      if (!isAnswered && waitedMs >= SLOW_MS)
        sign = `a change waited ${Math.round(waitedMs)} ms for the disk of ${name}`
      return sign
    },
  })
}

/** No commit takes so long on a disk that takes something. */
const SLOW_MS = 2000

/** The clock jumps while it runs, it is started anew with that time, as a machine without a battery, and the clock jumps back. */
function clockOf({ fleet, one }: Scene, offset: string, where: string): Trouble {
  const name = one(NAMES)
  const gateway = fleet.gateway(name)
  let marks: LogMarks = new Map()
  return trouble({
    what: `the clock of ${name} is ${where}`,
    claims: [name],
    begin: async () => {
      marks = logMarks(fleet)
      gateway.showTime(offset)
      await sleep(CLOCK_CACHE_MS)
      await gateway.stop()
      await gateway.start()
    },
    end: () => gateway.showTime('+0'),
    struck: () => strangeTime(name, logSince(fleet, marks, name), Date.now()),
  })
}

/** The library that shows the time reads it anew once a second. */
const CLOCK_CACHE_MS = 1100
