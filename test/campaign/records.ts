import { isRecord } from '../../runtime/gateway/control-protocol.ts'
import type { ControlClient } from '../../runtime/gateway/control-client.ts'
import type { JobReport } from './report.ts'

/** What a client asked a gateway for, as `state.patch` takes it. */
export interface Patch {
  readonly set?: Readonly<Record<string, unknown>>
  readonly delete?: readonly string[]
  readonly toggle?: readonly string[]
  readonly add?: Readonly<Record<string, number>>
  readonly append?: Readonly<Record<string, unknown>>
  readonly expect?: readonly (readonly [path: string, comparison: string, value: unknown])[]
}

export type Answer =
  /** It was told durable. */
  | { readonly kind: 'durable'; readonly operation: string; readonly isDraft: boolean }
  | { readonly kind: 'error'; readonly code: string }
  /** No answer came: the daemon ended, or was too slow. It may have happened or not. */
  | { readonly kind: 'unknown' }

export interface Entry {
  /** Unique: gateway and running number. */
  readonly key: string
  readonly gateway: string
  readonly job: string
  readonly patch: Patch
  readonly sentAtMs: number
  /** By how many daemons its gateway was followed when it was sent: see {@link Records.isWatchedSince}. */
  readonly watch: number
  answer: Answer | null
}

/** The point that every operation of the load sets beside what it is about: it says whether the operation stands. */
export function markerOf(key: string): string {
  return `done/${key}`
}

/** Who took the interlock and who gave it back, in the order in which the fleet settled it. */
export const INTERLOCK_LOG = 'interlock/log'

/**
 * What the clients of the campaign know by themselves: what they asked for and what they were told, and the fates of
 * operations as any gateway told them while it was watched. Nothing of it comes from the inside of a replica.
 */
export class Records {
  /** Those that are not archived. */
  entries: Entry[] = []
  /** What those that are archived leave behind: keys of changes that stood, what they added, who took the interlock how often. */
  readonly archivedKeys: Set<string> = new Set()
  readonly archivedSums: Map<string, number> = new Map()
  readonly archivedTakes: Map<string, number> = new Map()
  readonly #archivedAnswers: { durable: number; unknown: number } = { durable: 0, unknown: 0 }
  /** What the clients asked for and were told durable, as they said it. */
  durableBytes = 0
  readonly jobs: Map<string, JobReport> = new Map()
  /** Changes that were told durable, by gateway. */
  readonly durableBy: Map<string, number> = new Map()
  readonly #cleared = new Set<string>()
  /**
   * By operation, the last outcome that each gateway told: one that was set back tells again what it had known, and then adopts
   * what the others have settled.
   */
  readonly #outcomes = new Map<string, Map<string, string>>()
  /** By gateway, what its list of conflicts held. */
  readonly #losers = new Map<string, Set<string>>()
  readonly #conflicts = new Set<string>()
  readonly #watches = new Map<string, number>()
  readonly #setBack = new Set<string>()
  /** Entries whose fate others alone have told, since their own gateway was started anew or set back meanwhile. */
  readonly toldByOthers: Set<string> = new Set()
  /** Changes that were told durable as drafts. */
  drafted = 0
  readonly #issuedAgain = new Map<string, string | null>()
  readonly #forgiven = new Set<string>()
  readonly broken: string[] = []
  /** Settled prefixes in which the interlock was looked at. */
  prefixes = 0

  /** What was checked and stands needs no further record than its sums. @param markers that are taken out of the state now */
  archive(markers: ReadonlySet<string>): void {
    for (const path of markers) this.#cleared.add(path)
    const kept: Entry[] = []
    for (const entry of this.entries) {
      const stands = markers.has(markerOf(entry.key))
      if (stands || entry.answer?.kind !== 'unknown') this.#archive(entry, stands)
      else kept.push(entry)
    }
    this.entries = kept
  }

  #archive({ key, answer, gateway, job, patch }: Entry, stands: boolean): void {
    if (answer?.kind === 'durable') this.#archivedAnswers.durable += 1
    if (answer?.kind === 'unknown') this.#archivedAnswers.unknown += 1
    if (!stands) return
    this.archivedKeys.add(key)
    for (const [path, addend] of Object.entries(patch.add ?? {}))
      this.archivedSums.set(path, (this.archivedSums.get(path) ?? 0) + addend)
    const takes = takesOf(job)
    if (takes !== 0) this.archivedTakes.set(gateway, (this.archivedTakes.get(gateway) ?? 0) + takes)
    this.#jobOf(job).standing += 1
  }

  /** A change was answered. */
  noteAnswer({ answer, gateway, patch, job }: Entry): void {
    const report = this.#jobOf(job)
    report.asked += 1
    if (answer?.kind === 'error') report.refused += 1
    if (answer?.kind !== 'durable') return
    report.durable += 1
    if (answer.isDraft) this.drafted += 1
    this.durableBy.set(gateway, (this.durableBy.get(gateway) ?? 0) + 1)
    this.durableBytes += Buffer.byteLength(JSON.stringify(patch))
  }

  #jobOf(job: string): JobReport {
    let report = this.jobs.get(job)
    if (report === undefined) this.jobs.set(job, (report = { asked: 0, durable: 0, refused: 0, standing: 0 }))
    return report
  }

  /** By job, with those that stand in `state` now. */
  jobsIn(state: Readonly<Record<string, unknown>>): Record<string, JobReport> {
    const jobs = Object.fromEntries([...this.jobs].map(([job, report]) => [job, { ...report }]))
    for (const { job, key } of this.entries) {
      const report = jobs[job]
      if (report !== undefined && state[markerOf(key)] === true) report.standing += 1
    }
    return jobs
  }

  answers(): { readonly operations: number; readonly durable: number; readonly unknown: number } {
    let { durable, unknown } = this.#archivedAnswers
    for (const { answer } of this.entries) {
      if (answer?.kind === 'durable') durable += 1
      if (answer?.kind === 'unknown') unknown += 1
    }
    const operations = [...this.jobs.values()].reduce((sum, { asked }) => sum + asked, 0)
    return { operations, durable, unknown }
  }

  /** Operations that had to yield, as any gateway listed them. */
  get conflicted(): number {
    return this.#conflicts.size
  }

  /** To be kept with a change of this gateway that is sent now. */
  watchOf(gateway: string): number {
    return this.#watches.get(gateway) ?? 0
  }

  /** The gateway of this node has another card or another life: what it was told before it need not know any more. */
  noteSetBack(gateway: string): void {
    this.#setBack.add(gateway)
  }

  /** Follows a daemon until it ends. */
  follow(gateway: string, client: ControlClient): void {
    this.#watches.set(gateway, this.watchOf(gateway) + 1)
    const ended = (): undefined => undefined
    // After a start it tells again what had settled, and not reached the disk as settled.
    const settled = new Set<string>()
    const pumps = new Map<string, unknown>()
    const noteJournal = (event: unknown): void => {
      this.#noteJournal(gateway, event)
      if (isRecord(event) && event['kind'] === 'settled') this.#checkPumps(gateway, pumps)
    }
    const noteSettled = (event: unknown): void => {
      this.#noteSettled(gateway, settled, event)
      if (isRecord(event) && textIn(event, 'path').endsWith('/pump')) pumps.set(textIn(event, 'path'), event['after'])
    }
    void client.watch('journal.watch', {}, noteJournal).catch(ended)
    void client.watch('state.watch', { pattern: '**', settled: true }, noteSettled).catch(ended)
    void client.call('state.get', { settled: true }).then((state) => {
      for (const [path, value] of Object.entries(isRecord(state) ? state : {}))
        if (path.endsWith('/pump')) pumps.set(path, value)
    }, ended)
    void client.call('journal.list').then((lines) => this.#noteLines(gateway, lines), ended)
    void client.call('conflict.list').then((list) => this.#noteConflicts(gateway, list), ended)
  }

  /** The only disk that held it was thrown away on purpose: nobody promised to keep that. */
  isForgiven({ key }: Entry): boolean {
    return this.#forgiven.has(key)
  }

  forgive(entries: readonly Entry[]): void {
    for (const { key } of entries) this.#forgiven.add(key)
  }

  /**
   * Why a change that was told durable does not stand, or null if its client cannot know. The gateway that took it has to say so:
   * the word of another one counts only where that was started anew since, or set back, and then it is noted.
   */
  fateOf(entry: Entry): string | null {
    const { answer, gateway, key } = entry
    if (answer?.kind !== 'durable') return null
    const kind = answer.isDraft ? 'draft' : 'operation'
    const own = this.#fate(answer.operation, kind, gateway)
    if (own !== null || this.isWatchedSince(entry)) return own
    const others = this.#fate(answer.operation, kind, null)
    if (others !== null) this.toldByOthers.add(key)
    return others
  }

  /** Whether its gateway was followed all the time since it was sent, and has the card that it had. */
  isWatchedSince({ gateway, watch }: Entry): boolean {
    return watch === this.watchOf(gateway) && !this.#setBack.has(gateway)
  }

  /** @param by the gateway that must have told it, or null for any */
  #fate(operation: string, kind: 'draft' | 'operation', by: string | null): string | null {
    for (const gateway of by === null ? this.#watches.keys() : [by]) {
      const again = this.#issuedAgain.get(`${gateway} ${kind} ${operation}`)
      if (again === null) return 'had to yield when it came back'
      if (again !== undefined) return this.#fate(again, 'operation', by)
      if (kind === 'draft') continue
      if (this.#losers.get(gateway)?.has(operation) === true) return 'conflict'
      const told = this.#outcomes.get(operation)?.get(gateway) ?? 'applied'
      if (told !== 'applied') return told
    }
    return null
  }

  #noteJournal(gateway: string, event: unknown): void {
    if (!isRecord(event)) return
    if (event['kind'] === 'outcome') this.#noteLines(gateway, [event])
    if (event['kind'] === 'conflict') this.#noteConflicts(gateway, [event['conflict']])
    const { original } = event
    if (event['kind'] !== 'issued-again' || !isRecord(original)) return
    const operation = event['operation'] === null ? null : textIn(event, 'operation')
    this.#issuedAgain.set(`${gateway} ${textIn(original, 'kind')} ${textIn(original, 'operation')}`, operation)
  }

  #noteLines(gateway: string, lines: unknown): void {
    if (!Array.isArray(lines)) return
    for (const line of lines) {
      if (!isRecord(line) || line['outcome'] === null) continue
      const operation = textIn(line, 'operation')
      const told = this.#outcomes.get(operation) ?? new Map<string, string>()
      this.#outcomes.set(operation, told.set(gateway, textIn(line, 'outcome')))
    }
  }

  #noteConflicts(gateway: string, list: unknown): void {
    if (!Array.isArray(list)) return
    const losers = this.#losers.get(gateway) ?? new Set<string>()
    this.#losers.set(gateway, losers)
    for (const conflict of list) {
      if (!isRecord(conflict) || !isRecord(conflict['loser'])) continue
      const operation = textIn(conflict['loser'], 'operation')
      losers.add(operation)
      this.#conflicts.add(operation)
    }
  }

  /** What one step of the floor settled has been told before the step is: here no two pumps may be on. */
  #checkPumps(gateway: string, pumps: ReadonlyMap<string, unknown>): void {
    this.prefixes += 1
    const on = [...pumps].flatMap(([path, value]) => (value === true ? [path] : []))
    if (on.length > 1) this.broken.push(`${on.join(' and ')} were on together in a settled state of ${gateway}`)
  }

  /** Markers are set once and never taken back. */
  #noteSettled(gateway: string, settled: Set<string>, event: unknown): void {
    if (!isRecord(event)) return
    const path = textIn(event, 'path')
    if (!path.startsWith('done/')) return
    if (event['after'] === undefined && this.#cleared.has(path)) return
    if (event['after'] === undefined) this.broken.push(`${gateway} took back ${path}, which had been settled`)
    else if (settled.has(path)) this.broken.push(`${gateway} settled ${path} twice`)
    else settled.add(path)
  }
}

/** 1 for whoever takes the interlock, -1 for whoever gives it back. */
export function takesOf(job: string): number {
  return job === 'take the interlock' ? 1 : job === 'give the interlock back' ? -1 : 0
}

function textIn(event: Readonly<Record<string, unknown>>, name: string): string {
  const text = event[name]
  if (typeof text !== 'string') throw new Error(`a gateway told ${JSON.stringify(event)}, in which ${name} is no text`)
  return text
}
