import { ANNOUNCE_INTERVAL_MEMBERS, ANSWER_DELAY_GROWTH_MAX } from '../base/limits.ts'
import { fraction, type Random } from '../base/random.ts'

/**
 * A random delay before something is said that one of many may say for all, in milliseconds. In a small fleet it is spread
 * evenly up to `windowMs`. In a larger one the window is longer and the delays are distributed exponentially: one or two are
 * first whatever the size of the fleet, and the others hear them in time (Nonnenmacher and Biersack, Scalable feedback for
 * large groups, 1999).
 */
export function suppressionDelayMs(windowMs: number, members: number, random: Random): number {
  const u = fraction(random)
  if (members <= ANNOUNCE_INTERVAL_MEMBERS) return windowMs * u
  const steepness = 1.1 * Math.log(members) + 0.8
  const growth = Math.min(members / ANNOUNCE_INTERVAL_MEMBERS, ANSWER_DELAY_GROWTH_MAX)
  return (windowMs * growth * Math.log(u * (Math.exp(steepness) - 1) + 1)) / steepness
}
