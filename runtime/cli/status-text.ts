import { nodeOf } from '../base/ids.ts'
import type { GatewayStatus } from '../gateway/inspection.ts'
import { linksText } from './link-text.ts'
import { table } from './output.ts'
import { enforcementText } from './profile-text.ts'
import { wearText } from './wear-text.ts'

/** The answer of the control method `status`, for people. */
export function statusText(status: GatewayStatus): string {
  return [
    table(facts(status)),
    `\nmembers, highest priority first\n${membersText(status)}`,
    `\nlinks\n${linksText(status.links, '  ')}`,
    ...droppedText(status),
    ...alarmsText(status),
  ].join('\n')
}

function facts(status: GatewayStatus): string[][] {
  const { last, waitingList, deferredQueue } = status
  return [
    ['gateway', `${status.device}, process ${status.pid}`],
    ['node', `${status.node}${status.status === 'draft' ? `, stands still: ${status.draftReason}` : ''}`],
    ...refusalFacts(status),
    ['fleet', status.fleet],
    ['stage', `${last.stage}${last.operation === null ? '' : `, last operation ${last.operation}`}`],
    ['floor', `${status.floor}, ${floorReason(status)}`],
    ['journal', `${status.journalLength} operations not settled, ${status.outboxLength} not on the disk`],
    ['waiting', `${waitingList.length} in the list, ${deferredQueue.length} deferred`],
    ...[...waitingList, ...deferredQueue].slice(0, WAITING_SHOWN).map((line) => ['', waitingText(line)]),
    ['executed again', `${counted(status.reexecutions, 'operation')} since the start`],
    ...undoFacts(status),
    ['state', `${counted(status.paths, 'point')}, ${conflictsText(status)}`],
    ['telemetry', telemetryText(status)],
    ['disk', status.storageProblem ?? diskText(status.storage)],
    ['written', writtenText(status.storage)],
    ...profileFacts(status),
    ...mirrorFacts(status),
  ]
}

/** What it was told last when it asked to join; in what it is told anybody may have had his hand. */
function refusalFacts({ status, refusal }: GatewayStatus): string[][] {
  return status === 'draft' && refusal !== null ? [['', `not taken in: ${refusal}`]] : []
}

function profileFacts({ profile, profileOffers }: GatewayStatus): string[][] {
  return [
    ...ownProfileFacts(profile),
    ...(profileOffers === 0 ? [] : [['profiles offered', offersText(profileOffers)]]),
  ]
}

function offersText(offers: number): string {
  return `${offers} of gateways of the fleet, not in force yet: fleetstep profile list; an operator: fleetstep profile apply --offered`
}

function ownProfileFacts(profile: GatewayStatus['profile']): string[][] {
  if (profile === null) return []
  const rows = [['profile', `${profile.name}, version ${profile.hash}; ${enforcementText(profile.fleet)}`]]
  return profile.problem === null ? rows : [...rows, ['', `an edit is refused: ${profile.problem}`]]
}

function mirrorFacts({ mirror }: GatewayStatus): string[][] {
  if (mirror === null) return []
  const { state, cause, peer, counters } = mirror
  const { framesSent, framesReceived } = counters
  const traffic = `${counted(framesSent, 'message')} sent, ${framesReceived} received`
  if (state === 'up') return [['mirror', `connected to ${peer}, ${traffic}`]]
  return [['mirror', cause === null ? `connecting to ${peer}` : `not connected: ${cause}`]]
}

function diskText({ space, freeBytes, diskBytes, pendingOperations }: GatewayStatus['storage']): string {
  const low = space === 'low' ? ', which is little: free some space' : ''
  const waiting = pendingOperations === 0 ? '' : `; ${counted(pendingOperations, 'change')} wait for it`
  return `can be written: ${diskBytes} bytes in use here, ${freeBytes} free${low}${waiting}`
}

function writtenText(storage: GatewayStatus['storage']): string {
  const { bytesWritten, commits, lifetime } = storage
  const all = lifetime === null ? '' : `, ${lifetime.bytes} by all runs`
  return `${bytesWritten} bytes in ${commits} commits since the start${all}${wearText(storage)}`
}

/** Lines of operations that wait, or were undone, that are shown; --json has more. */
const WAITING_SHOWN = 5

type WaitingLine = GatewayStatus['waitingList'][number]

function waitingText({ operations, reason, waitsFor, behind }: WaitingLine): string {
  const deferred = behind === null ? '' : `, deferred behind ${behind}`
  return `${operations[0]} waits for ${REASONS[reason](waitsFor)}${deferred}`
}

export const REASONS: Readonly<Record<WaitingLine['reason'], (operation: string) => string>> = {
  join: (operation) => `the join of ${operation.split(':')[0]}`,
  earlier: (operation) => `${operation} of the same member`,
  previous: (operation) => `${operation}, which it follows`,
}

function pointsText([first = 'no point', ...more]: readonly string[]): string {
  return more.length === 0 ? first : `${first} and ${counted(more.length, 'other point')}`
}

/** What went through the waiting queue last, which is empty again by now. */
function undoFacts({ lastUndo }: GatewayStatus): string[][] {
  if (lastUndo === null) return []
  const { reason, by, byCount, undone, undoneCount, togetherCount } = lastUndo
  const others = byCount > 1 ? ` and ${byCount - 1} more` : ''
  const together = togetherCount === 0 ? '' : `, ${togetherCount} yielded together`
  return [
    ['', `last ${undoneCount}${together}: ${by[0]}${others} ${reason === 'late' ? 'came late' : 'left the journal'}`],
    ...undone.slice(0, WAITING_SHOWN).map(({ operation, points }) => ['', `${operation} at ${pointsText(points)}`]),
  ]
}

function conflictsText({ conflicts, conflictsForgotten }: GatewayStatus): string {
  const forgotten = conflictsForgotten === 0 ? '' : ` and ${conflictsForgotten} that had to go`
  return conflicts === 0
    ? `no conflicts${forgotten}`
    : `${counted(conflicts, 'conflict')}${forgotten}: fleetstep conflict list`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function telemetryText({ telemetry: { own, others, stale } }: GatewayStatus): string {
  return `${own} readings of this gateway, ${others} of others${stale === 0 ? '' : `, of which ${stale} are stale`}`
}

/** Everything up to the floor is settled: nothing can be ordered before it any more. */
function floorReason({ floor, last, floorHold, members }: GatewayStatus): string {
  if (floor >= last.stage) return 'all that is executed here is settled'
  if (floorHold === null) return 'waiting for the own disk'
  const heard = heardText(members.find(({ member }) => member === floorHold.member)?.heardAgoMs ?? null)
  return `waiting for gateway ${nodeOf(floorHold.member)}, ${heard}: ${HOLD_REASONS[floorHold.reason]}`
}

export const HOLD_REASONS: Readonly<Record<NonNullable<GatewayStatus['floorHold']>['reason'], string>> = {
  'not heard yet': 'it has not been heard since the start here',
  'we lack operations of it': 'operations of it are missing here',
  'it lacks operations that we hold': 'it lacks operations that are held here',
  'its stage': 'it has not executed more',
  'its epoch': 'it has not taken in the newest epoch',
  'it has not said what it holds of the retired': 'it has not said what it holds of the retired',
  'we lack operations below its cut': 'operations of it that stand are missing here',
}

function membersText({ members, online }: GatewayStatus): string {
  const rows = members.map((line) => {
    const node = nodeOf(line.member)
    const heard = line.isSelf ? 'this gateway' : heardText(line.heardAgoMs)
    const presence = line.isSelf || !online.some((other) => other === node) ? '' : 'online'
    return [node, String(line.tier), heard, figure(line.stage), figure(line.floor), String(line.heldSeq), presence]
  })
  return table([['node', 'tier', 'last heard', 'stage', 'floor', 'operations held', ''], ...rows], '  ')
}

/** It says of itself at that time; a gateway does not hear itself. */
function figure(stated: number | null): string {
  return stated === null ? '-' : String(stated)
}

function heardText(agoMs: number | null): string {
  if (agoMs === null) return 'not heard yet'
  const seconds = Math.round(agoMs / 1000)
  if (seconds < 120) return `last heard ${seconds} s ago`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `last heard ${minutes} min ago` : `last heard ${Math.round(minutes / 60)} h ago`
}

function droppedText({ dropped, links, mirror }: GatewayStatus): string[] {
  const ways = mirror === null ? links : [...links, { name: 'mirror', ...mirror }]
  const rows = [
    ...Object.entries(dropped).map(([reason, count]) => [`  ${count}`, reason]),
    ...ways.flatMap(({ name, counters }) =>
      Object.entries(counters.dropped).map(([reason, count]) => [`  ${count}`, `${name}: ${reason}`]),
    ),
  ]
  return rows.length === 0 ? [] : [`\ndropped frames, by reason\n${table(rows)}`]
}

function alarmsText({ alarms }: GatewayStatus): string[] {
  return alarms.length === 0
    ? []
    : [`\nalarms\n${alarms.map((alarm) => `  ${alarm.name}: ${alarm.message}`).join('\n')}`]
}
