/** The only source of chance. Tests pass a seeded one. */
export interface Random {
  /** A whole number in [0, 2^32). */
  uint32(): number
}

/** A number in [0, 1). */
export function fraction(random: Random): number {
  return random.uint32() / 0x1_0000_0000
}

/**
 * A seeded generator (SplitMix32 over a 32-bit counter), for jitter and for tests. Not for secrets.
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return {
    uint32() {
      state = (state + 0x9e3779b9) >>> 0
      let mixed = state ^ (state >>> 16)
      mixed = Math.imul(mixed, 0x21f0aaad)
      mixed ^= mixed >>> 15
      mixed = Math.imul(mixed, 0x735a2d97)
      return (mixed ^ (mixed >>> 15)) >>> 0
    },
  }
}
