import { BYTES, FlatReader, FlatWriter, LIST, UINT } from './protocol-floor-codec.ts'
import type { FloorReplica } from './protocol-floor-replica.ts'
import { memberAt } from './protocol-floor-state.ts'
import { SEQ, STAGE } from './protocol-floor-table.ts'

/** CBOR of how far each member is held, as [seq, digest], and of each point, as [path, value, member, seq, stage]. */
export function writeSnapshot({ held, digestsHigh, digestsLow, state }: FloorReplica): Uint8Array {
  const { fields } = state.chains
  const points = state.points()
  const bytes = points.map(({ item, value }) => item.length + 3 * String(value).length)
  const writer = new FlatWriter(bytes.reduce((total, length) => total + length + 32, 32 + 32 * held.length))
  writer.head(LIST, 2)
  writer.head(LIST, held.length)
  for (const [member, seq] of held.entries()) {
    writer.head(LIST, 2)
    writer.head(UINT, seq)
    writer.byte(BYTES | 8)
    writer.word(digestsHigh[member] as number)
    writer.word(digestsLow[member] as number)
  }
  writer.head(LIST, points.length)
  for (const { item, value, at } of points) {
    writer.head(LIST, 5)
    writer.raw(item)
    writer.value(value)
    writer.head(UINT, memberAt(fields, at))
    writer.head(UINT, fields[at + SEQ] as number)
    writer.head(UINT, fields[at + STAGE] as number)
  }
  return writer.bytes.slice(0, writer.at)
}

/** @param replica holds nothing yet */
export function readSnapshot({ held, digestsHigh, digestsLow, state }: FloorReplica, bytes: Uint8Array): void {
  const reader = new FlatReader()
  reader.begin(bytes, 1)
  const members = reader.argument()
  for (let member = 0; member < members; member++) {
    reader.at += 1
    held[member] = reader.argument()
    reader.at += 1
    digestsHigh[member] = reader.word()
    digestsLow[member] = reader.word()
  }
  for (let left = reader.argument(); left > 0; left--) {
    reader.at += 1
    const path = String(reader.value())
    const value = reader.value()
    state.restore(path, value, reader.argument(), reader.argument(), reader.argument())
  }
}
