import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientIdOf } from '../../runtime/links/mqtt/topics.ts'
import { findProgram } from '../support/system-programs.ts'
import { isExplained } from './alarms.ts'
import { guardCauses } from './guard-causes.ts'
import { addressOf, FOUNDER, GATEWAYS, MOSQUITTO, NATS, STRANGER } from './plan.ts'
import { alarmsSince, logMarks, type LogMarks, logOf, logSince } from './logs.ts'
import { runTool } from './tool.ts'
import { logged } from './signs.ts'
import { type AlarmCause, MOVABLE, type Scene, trouble, type Trouble, type TroubleKind } from './trouble.ts'

/** Troubles about who is who: some need the operator afterwards. */
export const identityTroubles: Readonly<Record<string, TroubleKind>> = {
  'restored backup': restoredBackup,
  'cloned card': clonedCard,
  'retire and return': retireAndReturn,
  'duplicate client id': duplicateClientId,
  forgery,
}

/** The card comes back as it was some time ago, and what was on it since is on no disk of this node any more. */
function restoredBackup({ fleet, records, one }: Scene): Trouble {
  const name = one(MOVABLE)
  const backup = `${fleet.dataDirectory(name)}-backup`
  let before: ReadonlySet<string> = new Set()
  let isKnownToOthers = false
  let lost = 0
  let restoredAt: LogMarks = new Map()
  let node = ''
  // It says so itself, or the others say it of its member.
  const signs = (): readonly AlarmCause[] => restoreAlarms(name, node)
  return trouble({
    what: `${name} is restored from a backup`,
    claims: [name, 'membership'],
    begin: async () => {
      const gateway = fleet.gateway(name)
      ;({ node } = await gateway.status())
      await gateway.stop()
      cpSync(fleet.dataDirectory(name), backup, { recursive: true })
      before = new Set(records.entries.map(({ key }) => key))
      await gateway.start()
    },
    end: async () => {
      const gateway = fleet.gateway(name)
      await gateway.kill()
      const since = records.entries.filter((entry) => entry.gateway === name && !before.has(entry.key))
      // What nobody else had seen is gone with the card; what others have must come back.
      const heldElsewhere = await markersElsewhere(fleet, name)
      records.forgive(since.filter(({ key }) => !heldElsewhere.has(key)))
      records.noteSetBack(name)
      lost = since.filter(({ answer }) => answer?.kind === 'durable').length
      isKnownToOthers = since.some(({ key }) => heldElsewhere.has(key))
      restoredAt = logMarks(fleet)
      rmSync(fleet.dataDirectory(name), { recursive: true })
      cpSync(backup, fleet.dataDirectory(name), { recursive: true })
      rmSync(backup, { recursive: true })
      await gateway.start()
    },
    strikesAtEnd: true,
    struck: () => (lost === 0 ? null : `${lost} durable changes were newer than the backup`),
    unnoticed: () => {
      const isNoticed = alarmsSince(fleet, restoredAt).some((alarm) => isExplained(alarm, signs()))
      const due = signs().map((alarm) => alarm.name)
      return isNoticed || !isKnownToOthers ? null : `none of the alarms ${due.join(', ')} was raised about ${node}`
    },
    alarms: () => [...signs(), ...guardCauses(name)],
  })
}

/** What a restored backup may bring about. @param node of the gateway that was restored */
export function restoreAlarms(name: string, node: string): readonly AlarmCause[] {
  return [
    { name: 'regressed', by: [name], about: null },
    { name: 'late-operation', by: null, about: node },
    { name: 'identity-used-twice', by: null, about: node },
    { name: 'untrue-announcement', by: null, about: node },
  ]
}

/** A copy of the card in another machine takes part as a node of its own, and is retired when it has gone. */
function clonedCard({ fleet, one }: Scene): Trouble {
  const name = one(MOVABLE)
  const clone = `clone-${fleet.gateways.size}-${one(LETTERS)}${one(LETTERS)}${one(LETTERS)}`
  let node = ''
  const saysSo = (): string | null => othernessIn(logOf(fleet.folder, clone), node)
  return trouble({
    what: `the card of ${name} is copied into another machine`,
    claims: [name, FOUNDER, 'membership', STRANGER.name],
    begin: async () => {
      const gateway = fleet.gateway(name)
      ;({ node } = await gateway.status())
      await gateway.stop()
      cpSync(fleet.dataDirectory(name), fleet.dataDirectory(clone), { recursive: true })
      await gateway.start()
      showOtherHardware(join(fleet.dataDirectory(clone), 'identity.json'))
      const links = GATEWAYS.find((plan) => plan.name === FOUNDER)?.links ?? []
      await fleet.addGateway(clone, STRANGER.name, fleet.dataDirectory(clone), links).start()
    },
    end: async () => {
      const status = await fleet.gateway(clone).status()
      await untilMember(fleet, clone)
      await fleet.gateway(clone).stop()
      fleet.gateways.delete(clone)
      await fleet.operate('--gateway', FOUNDER, 'fleet', 'retire', status.node, '--fleet', 'campaign')
    },
    struck: saysSo,
    unnoticed: () => (saysSo() === null ? `${clone} did not say that it is not node ${node}` : null),
  })
}

/** What a machine says at its start that has the card of another one. @param node whose card it is */
export function othernessIn(log: string, node: string): string | null {
  return new RegExp(`"msg":"(this is not node ${node}: [^"]*kept in[^"]*)`).exec(log)?.[1] ?? null
}

/** The operator retires a node that lives; it asks to come back. */
function retireAndReturn({ fleet, records, one }: Scene): Trouble {
  const name = one(MOVABLE)
  let mark: LogMarks = new Map()
  let retired = ''
  return trouble({
    what: `${name} is retired and returns`,
    claims: [name, FOUNDER, 'membership'],
    begin: async () => {
      mark = logMarks(fleet)
      const { node, self } = await fleet.gateway(name).status()
      retired = self
      records.noteSetBack(name)
      await fleet.operate('--gateway', FOUNDER, 'fleet', 'retire', node, '--fleet', 'campaign')
    },
    end: () => undefined,
    struck: () => logged(fleet, mark, name, /retired by epoch/),
    unnoticed: async () => {
      if ((await fleet.gateway(name).status()).self === retired) return `it is ${retired} as before`
      return logSince(fleet, mark, name).includes('retired by epoch') ? null : 'it did not say that it was retired'
    },
  })
}

function duplicateClientId({ fleet, one }: Scene): Trouble {
  const name = one(GATEWAYS.filter(({ links }) => links.some(({ kind }) => kind === 'broker')).map((plan) => plan.name))
  const server = GATEWAYS.find((plan) => plan.name === name)?.links.some(
    (link) => link.kind === 'broker' && link.broker === 'mosquitto',
  )
    ? MOSQUITTO
    : NATS[0]
  let client: ChildProcess | null = null
  let mark: LogMarks = new Map()
  return trouble({
    what: `somebody connects under the client id of ${name}`,
    // Whoever cannot reach the broker takes nobody's place.
    claims: [name, STRANGER.name, 'network', server === MOSQUITTO ? MOSQUITTO.name : 'nats'],
    begin: async () => {
      mark = logMarks(fleet)
      const { node, fleet: group } = await fleet.gateway(name).status()
      const words = ['-h', server?.address ?? '', '-i', clientIdOf(group, node), '-t', 'nothing']
      client = spawn('ip', [...fleet.backbone.on(STRANGER.name), tool('mosquitto_sub'), ...words], { stdio: 'ignore' })
    },
    end: async () => await ended(client),
    struck: () => logged(fleet, mark, name, TAKEN_OVER),
    unnoticed: () =>
      TAKEN_OVER.test(logSince(fleet, mark, name)) ? null : `${name} did not tell of a second node with its id`,
  })
}

const TAKEN_OVER = /second node with this id|another client with the same id/

/** Frames of the fleet come again, and altered, under the names of members, and so does noise. */
function forgery({ fleet, below }: Scene): Trouble {
  let listener: ChildProcess | null = null
  let heard = ''
  let before: Readonly<Record<string, number>> = {}
  const rose = async (): Promise<readonly string[]> => {
    const now = await dropsOf(fleet)
    return Object.entries(FORGED).flatMap(([what, sign]) => (countOf(now, sign) > countOf(before, sign) ? [what] : []))
  }
  let hasForged = false
  return trouble({
    what: 'somebody on the broker repeats and alters what members say',
    claims: [STRANGER.name, 'mosquitto', 'network'],
    begin: async () => {
      const words = ['-h', MOSQUITTO.address, '-t', 'fleet/#', '-F', '%t %x']
      listener = spawn('ip', [...fleet.backbone.on(STRANGER.name), tool('mosquitto_sub'), ...words])
      listener.stdout?.on('data', (text: Buffer) => {
        if (heard.length < 1_000_000) heard += text.toString()
      })
      await sleep(1000)
    },
    end: async () => {
      await ended(listener)
      const frames = heard.split('\n').filter((line) => /^\S+ [0-9a-f]{20,}$/.test(line))
      before = await dropsOf(fleet)
      if (frames.length === 0) throw new Error('the forger heard nothing on the broker')
      for (let count = 0; count < 40; count += 1) {
        const [topic = '', hex = ''] = (frames[below(frames.length)] ?? '').split(' ')
        publish(fleet, topic, forgeryOf(Buffer.from(hex, 'hex'), count, below))
      }
      hasForged = true
    },
    strikesAtEnd: true,
    struck: async () => {
      const counted = hasForged ? await rose() : []
      return counted.length === 0 ? null : `gateways counted ${counted.join(', ')}`
    },
    unnoticed: async () => {
      const counted = await rose()
      const uncounted = Object.keys(FORGED).filter((what) => !counted.includes(what))
      return uncounted.length === 0 ? null : `on no gateway of the broker rose the counter of ${uncounted.join(', ')}`
    },
    // A wrong version or kind is all that a gateway sees of such a frame.
    alarms: () => [{ name: 'newer-release', by: ON_MOSQUITTO, about: null }],
  })
}

const ON_MOSQUITTO: readonly string[] = GATEWAYS.filter(({ links }) =>
  links.some((link) => link.kind === 'broker' && link.broker === 'mosquitto'),
).map(({ name }) => name)

/** What is made of frames that were heard, and by what it must be counted. Some come again as they were, some damaged at random. */
function forgeryOf(frame: Buffer, count: number, below: Scene['below']): Buffer {
  switch (count % 5) {
    case 0:
      return frame
    case 1:
      frame[1] = 0
      return frame
    case 2:
      // The end is a part of the signature, of whatever kind it is.
      frame[frame.length - 1]! ^= 1
      return frame
    case 3:
      frame[11] = 23
      return frame
    default:
      frame[below(frame.length)]! ^= 1 << below(8)
      return frame
  }
}

const FORGED: Readonly<Record<string, RegExp>> = {
  'a wrong version': /^version is not/,
  'a kind that nobody knows': /^kind is not known/,
  'a wrong signature': /sign/,
}

async function dropsOf(fleet: Scene['fleet']): Promise<Readonly<Record<string, number>>> {
  const sums: Record<string, number> = {}
  for (const [name, { dropped }] of await fleet.statuses()) {
    if (ON_MOSQUITTO.includes(name))
      for (const [reason, count] of Object.entries(dropped)) sums[reason] = (sums[reason] ?? 0) + count
  }
  return sums
}

function countOf(drops: Readonly<Record<string, number>>, sign: RegExp): number {
  return Object.entries(drops).reduce((sum, [reason, count]) => sum + (sign.test(reason) ? count : 0), 0)
}

const LETTERS: readonly string[] = 'abcdefghij'.split('')

const BACK_MS = 300_000

/** The record as it stands on a machine that is not the one on which it was made. */
function showOtherHardware(file: string): void {
  const record: unknown = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...Object(record), fingerprint: 'f'.repeat(32) }))
}

async function isMember(fleet: Scene['fleet'], name: string): Promise<boolean> {
  const { status, self } = await fleet.gateway(name).status()
  if (status !== 'member') return false
  const { members } = await fleet.gateway(FOUNDER).status()
  return members.some(({ member, isRetired }) => member === self && !isRetired)
}

async function untilMember(fleet: Scene['fleet'], name: string): Promise<void> {
  for (const deadline = performance.now() + BACK_MS; performance.now() < deadline; await sleep(300)) {
    // A busy machine may leave one of them without an answer for a while.
    const isIn = await isMember(fleet, name).catch(() => false)
    if (isIn) return
  }
  throw new Error(`${name} did not become a member: ${JSON.stringify(await fleet.gateway(name).status())}`)
}

async function markersElsewhere(fleet: Scene['fleet'], name: string): Promise<Set<string>> {
  const held = new Set<string>()
  for (const gateway of fleet.gateways.values()) {
    if (gateway.name === name || !gateway.isRunning) continue
    const state = await gateway.call('state.get')
    for (const path of Object.keys(state ?? {})) if (path.startsWith('done/')) held.add(path.slice('done/'.length))
  }
  return held
}

function publish(fleet: Scene['fleet'], topic: string, frame: Buffer): void {
  const words = [...fleet.backbone.on(STRANGER.name), tool('mosquitto_pub'), '-h', addressOf(MOSQUITTO.name)]
  runTool('ip', [...words, '-t', topic, '-s'], frame)
}

async function ended(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

function tool(name: string): string {
  const path = findProgram(name)
  if (path === null) throw new Error(`${name} is not installed: apt-get install mosquitto-clients`)
  return path
}
