import type { DirectoryReport } from '../gateway/data-directory.ts'

/** How fast a card is written to and how long it lasts, as far as that can be said, behind what was written. */
export function wearText({
  bytesPerDay,
  cardLifeYears,
}: Pick<DirectoryReport, 'bytesPerDay' | 'cardLifeYears'>): string {
  const life = cardLifeYears === null ? '' : `, at which the card lasts ${Math.round(cardLifeYears * 10) / 10} years`
  return bytesPerDay === null ? '' : `, ${bytesPerDay} a day${life}`
}
