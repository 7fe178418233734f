import { FleetstepError } from '../../base/errors.ts'
import type { ControlClient } from '../../gateway/control-client.ts'
import { isRecord } from '../../gateway/control-protocol.ts'

/** All that the demo shows and compares of one replica, as it was at one moment. */
export interface Reading {
  readonly link: 'up' | 'connecting' | 'cut off'
  readonly heard: number
  readonly others: number
  /** Since the member that was quiet for longest; null if none was heard. */
  readonly heardAgoMs: number | null
  readonly stage: number
  readonly lastOperation: string | null
  readonly waitingList: number
  readonly deferredQueue: number
  /** Operations that went through the waiting queue since the start. */
  readonly reexecutions: number
  readonly floor: number
  readonly floorDigest: string
  readonly journal: readonly JournalEntry[]
  readonly conflicts: readonly ConflictEntry[]
  /** The highest operation of each member that is held and on the disk. */
  readonly held: ReadonlyMap<string, number>
  readonly state: Readonly<Record<string, unknown>>
}

export interface JournalEntry {
  readonly operation: string
  readonly stage: number
  readonly outcome: string
}

export interface ConflictEntry {
  readonly id: string
  readonly path: string
  readonly winner: { readonly operation: string; readonly value: unknown }
  readonly loser: { readonly operation: string; readonly value: unknown }
}

/**
 * Reads one gateway. The requests go out together and are answered in one turn of the daemon, so that they describe one
 * moment; that this held is checked by asking for the status at both ends.
 * @throws FleetstepError `daemon-unreachable`
 */
export async function readGateway(client: ControlClient): Promise<Reading> {
  for (let attempt = 1; ; attempt += 1) {
    const [status, state, journal, conflicts, statusAfter] = await Promise.all([
      client.call('status'),
      client.call('state.get'),
      client.call('journal.list'),
      client.call('conflict.list'),
      client.call('status'),
    ])
    const reading = readingFrom(record(status), record(state), list(journal), list(conflicts))
    if (isSameMoment(status, statusAfter) || attempt === ATTEMPTS_MAX) return reading
  }
}

/** A daemon under load may be interrupted between two answers now and then, never always. */
const ATTEMPTS_MAX = 5

type Fields = Readonly<Record<string, unknown>>

function isSameMoment(before: unknown, after: unknown): boolean {
  const moment = (status: Fields): string => JSON.stringify([status['last'], status['floor'], status['vector']])
  return moment(record(before)) === moment(record(after))
}

function readingFrom(
  status: Fields,
  state: Fields,
  journal: readonly unknown[],
  conflicts: readonly unknown[],
): Reading {
  const last = record(status['last'])
  return {
    link: linkOf(list(status['links']).map(record)),
    ...hearingOf(list(status['members']).map(record)),
    stage: number(last['stage']),
    lastOperation: last['operation'] === null ? null : text(last['operation']),
    waitingList: list(status['waitingList']).length,
    deferredQueue: list(status['deferredQueue']).length,
    reexecutions: number(status['reexecutions']),
    floor: number(status['floor']),
    floorDigest: text(status['floorDigest']),
    journal: journal.map(record).map(journalEntry),
    conflicts: conflicts.map(record).map(conflictEntry),
    held: new Map(
      list(status['vector'])
        .map(record)
        .map(({ member, seq }) => [text(member), number(seq)]),
    ),
    state,
  }
}

function linkOf([link]: readonly Fields[]): Reading['link'] {
  if (link === undefined || link['isOpen'] === false) return 'cut off'
  return link['state'] === 'up' ? 'up' : 'connecting'
}

function hearingOf(members: readonly Fields[]): Pick<Reading, 'heard' | 'others' | 'heardAgoMs'> {
  const others = members.filter(({ isSelf }) => isSelf === false)
  const agesMs = others.flatMap(({ heardAgoMs }) => (typeof heardAgoMs === 'number' ? [heardAgoMs] : []))
  return {
    heard: agesMs.length,
    others: others.length,
    heardAgoMs: agesMs.length === 0 ? null : Math.max(...agesMs),
  }
}

function journalEntry({ operation, stage, outcome }: Fields): JournalEntry {
  return { operation: text(operation), stage: number(stage), outcome: outcome === null ? 'waits' : text(outcome) }
}

function conflictEntry({ id, path, winner, loser }: Fields): ConflictEntry {
  return { id: text(id), path: text(path), winner: side(record(winner)), loser: side(record(loser)) }
}

function side({ operation, value }: Fields): ConflictEntry['winner'] {
  return { operation: text(operation), value }
}

function record(data: unknown): Fields {
  return isRecord(data) ? data : strange('an object', data)
}

function list(data: unknown): readonly unknown[] {
  return Array.isArray(data) ? data : strange('a list', data)
}

function text(data: unknown): string {
  return typeof data === 'string' ? data : strange('a text', data)
}

function number(data: unknown): number {
  return typeof data === 'number' ? data : strange('a number', data)
}

/** The gateway that answers may have been started by hand, from another version. */
function strange(wanted: string, data: unknown): never {
  throw new FleetstepError(
    'request-invalid',
    `a gateway answered ${JSON.stringify(data)} instead of ${wanted}: start it from this version of Fleetstep`,
  )
}
