import type { Monotonic } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { RELAY_BYTES_MAX, RELAY_PATIENCE_MAX_MS, RELAY_PATIENCE_MIN_MS } from '../base/limits.ts'
import { fraction, type Random } from '../base/random.ts'
import type { Announcement, Telemetry } from './message.ts'
import { type Destination, NO_OUTPUTS, type Output } from './output.ts'

/**
 * Carries what a member says from one link to the others. Where several of us have the same links, or that member has them itself,
 * one is enough: whoever hears on a link what it has passed on there leaves that to the others by a toss, and from then on
 * passes on what they do not bring in some time, which doubles when they were only slower than that. So the only way between two
 * links is never slow, and what all have two links for goes over each of them once.
 */
export class Relay {
  readonly #random: Random
  /** By member and link, whether what the member says is left to others there, and for how long they are waited for. */
  readonly #places = new Map<string, Place>()
  /** The last announcement of each member, and on which links it was passed on at once. */
  readonly #passed = new Map<MemberId, { readonly name: string; readonly links: readonly string[] }>()
  /** By name, in the order in which they came. */
  readonly #waiting = new Map<string, Waiting>()
  #bytes = 0

  constructor(random: Random) {
    this.#random = random
  }

  get wakeAt(): Monotonic | null {
    let first: Monotonic | null = null
    // Asked for after every input, and nearly always there is none.
    if (this.#waiting.size > 0)
      for (const { at } of this.#waiting.values()) first = first === null ? at : Math.min(first, at)
    return first
  }

  /** @returns what is sent at once */
  pass({ name, member, frame, to }: Passed, from: string, links: ReadonlySet<string>, now: Monotonic): Output[] {
    if (links.size < 2) return []
    const others = [...links].filter((link) => link !== from)
    const left = others.filter((link) => this.#places.get(placeOf(member, link))?.isLeft === true)
    const isLeft = left.length > 0 && this.#bytes + frame.length <= RELAY_BYTES_MAX
    const direct = isLeft ? others.filter((link) => !left.includes(link)) : others
    if (to.channel === 'announcements') this.#passed.set(member, { name, links: direct })
    if (!isLeft) return [{ kind: 'send', frame, to: { ...to, links: { except: from } } }]
    const patienceMs = Math.max(...left.map((link) => this.#patienceMs(member, link)))
    const at = now + patienceMs * (1 + fraction(this.#random))
    this.#drop(name)
    this.#waiting.set(name, { member, frame, to, links: new Set(left), at })
    this.#bytes += frame.length
    return direct.map((link) => ({ kind: 'send', frame, to: { ...to, links: { only: link } } }))
  }

  /** It came over this link, by whomever, so nobody need pass it on there. */
  noteHeard(name: string, link: string): void {
    // Asked for with every batch, and nearly always there is none.
    if (this.#waiting.size === 0) return
    const waiting = this.#waiting.get(name)
    if (waiting?.links.delete(link) === true && waiting.links.size === 0) this.#drop(name)
  }

  /** The same of an announcement: by these it is found who else passes on what its member says. */
  noteAnnouncement(announcement: Announcement, link: string): void {
    const { member } = announcement
    if (this.#passed.size === 0) return
    const name = nameOf('announcement', announcement)
    this.noteHeard(name, link)
    const passed = this.#passed.get(member)
    if (passed?.name !== name || !passed.links.includes(link)) return
    const patienceMs = Math.min(2 * this.#patienceMs(member, link), RELAY_PATIENCE_MAX_MS)
    // Were it certain, all who have passed it on would leave it to each other. Whoever brought announcements alone, or too late, is
    // left it more rarely.
    if (fraction(this.#random) < 1 - RELAY_PATIENCE_MIN_MS / (2 * patienceMs)) return
    this.#places.set(placeOf(member, link), { isLeft: true, patienceMs })
  }

  /** Passes on what nobody has brought in time, and goes on doing so. */
  tick(now: Monotonic): readonly Output[] {
    const { wakeAt } = this
    if (wakeAt === null || wakeAt > now) return NO_OUTPUTS
    const outputs: Output[] = []
    for (const [name, { member, frame, to, links, at }] of this.#waiting) {
      if (at > now) continue
      this.#drop(name)
      for (const link of links) {
        this.#places.set(placeOf(member, link), { isLeft: false, patienceMs: this.#patienceMs(member, link) })
        outputs.push({ kind: 'send', frame, to: { ...to, links: { only: link } } })
      }
    }
    return outputs
  }

  /** This node is a draft now. */
  clear(): void {
    this.#places.clear()
    this.#passed.clear()
    this.#waiting.clear()
    this.#bytes = 0
  }

  #patienceMs(member: MemberId, link: string): number {
    return this.#places.get(placeOf(member, link))?.patienceMs ?? RELAY_PATIENCE_MIN_MS / 2
  }

  #drop(name: string): void {
    const waiting = this.#waiting.get(name)
    if (waiting === undefined) return
    this.#waiting.delete(name)
    this.#bytes -= waiting.frame.length
  }
}

/** By which an announcement or a message of telemetry is known again; a batch is by its digest. */
export function nameOf(
  kind: 'announcement' | 'telemetry',
  { member, start, number }: Pick<Announcement | Telemetry, 'member' | 'start' | 'number'>,
): string {
  return `${kind} ${member} ${start} ${number}`
}

/** What is passed on. */
export interface Passed {
  readonly name: string
  /** Whose words it holds. */
  readonly member: MemberId
  readonly frame: Uint8Array
  readonly to: Omit<Destination, 'links'>
}

interface Waiting extends Omit<Passed, 'name'> {
  /** On which it has not come yet. */
  readonly links: Set<string>
  readonly at: Monotonic
}

interface Place {
  readonly isLeft: boolean
  readonly patienceMs: number
}

function placeOf(member: MemberId, link: string): string {
  return `${member} ${link}`
}
