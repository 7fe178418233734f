/** What the writing of a store means for the card below it. */
export interface Wear {
  /** Null within the first hour, in which the segments are made. */
  readonly bytesPerDay: number | null
  /** Null while that is not known or nothing was written. */
  readonly cardLifeYears: number | null
}

/** Terabytes that a card is written with over its life, where its maker names none: 32 GB that last 500 times. */
export const CARD_ENDURANCE_TB_DEFAULT = 16

/** Bytes that a card writes for each byte that it is given in 4 KiB pages: its erase blocks are far larger. */
const CARD_WRITE_AMPLIFICATION = 4

/**
 * bytesPerDay = bytesWritten / time * a day; years = endurance / (bytesPerDay * CARD_WRITE_AMPLIFICATION * 365).
 * An estimate: nothing but this store writes to the card, at the rate since the start.
 * @param enduranceTb terabytes (10^12 bytes) written, TBW of the data sheet
 */
export function estimateWear(bytesWritten: number, sinceMs: number, enduranceTb: number): Wear {
  if (sinceMs < MEASURED_MS_MIN) return { bytesPerDay: null, cardLifeYears: null }
  const bytesPerDay = Math.round((bytesWritten / sinceMs) * DAY_MS)
  if (bytesPerDay === 0) return { bytesPerDay, cardLifeYears: null }
  return { bytesPerDay, cardLifeYears: (enduranceTb * 1e12) / (bytesPerDay * CARD_WRITE_AMPLIFICATION * 365) }
}

const DAY_MS = 86_400_000
const MEASURED_MS_MIN = 3_600_000
