/** PROTOCOL section 9, each with what must hold. Whoever checks one names it. */
export const INVARIANTS = {
  I1: 'the digest at each floor is the same everywhere for ever',
  I2: 'nothing is late without a restored backup or a clone',
  I3: 'no cut is below a folded seq',
  I4: 'the own next stage is above every announced one',
  I5: 'announcements state only what is on the disk',
  I6: 'what was told durable is kept, once',
  I7: 'the same operations come to the same order',
  I8: 'the result is that of executing everything anew',
} as const

/** What PROTOCOL demands elsewhere. */
const RULES = ['durable', 'sync before send', 'hear before you speak', 'floor', 'bounded', 'liveness'] as const

export type Invariant = keyof typeof INVARIANTS
type Checked = Invariant | (typeof RULES)[number]

/** An invariant of PROTOCOL section 9, or another of its rules, does not hold. */
export class InvariantBroken extends Error {
  constructor(checked: Checked, detail: string) {
    super(`${isInvariant(checked) ? `${checked} (${INVARIANTS[checked]})` : checked}: ${detail}`)
    this.name = 'InvariantBroken'
  }
}

export function check(checked: Checked, holds: boolean, detail: () => string): void {
  if (!holds) throw new InvariantBroken(checked, detail())
}

function isInvariant(checked: Checked): checked is Invariant {
  return checked in INVARIANTS
}
