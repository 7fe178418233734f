/** An invariant of PROTOCOL section 9 does not hold. */
export class InvariantBroken extends Error {
  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.name = 'InvariantBroken'
  }
}

export function check(invariant: string, holds: boolean, detail: () => string): void {
  if (!holds) throw new InvariantBroken(invariant, detail())
}
