import { randomBytes } from 'node:crypto'
import type { Random } from '../base/random.ts'

/** Chance from the operating system. */
export const systemRandom: Random = {
  uint32: () => randomBytes(4).readUInt32LE(0),
}
