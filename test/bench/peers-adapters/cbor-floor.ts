import { Encoder } from 'cbor-x/encode'
import { type Change, floorOf } from './floor.ts'
import type { Peer } from './peer.ts'

/** Messages of the CBOR library that the product uses too, with nothing checked. */
export function openCborFloor(): Promise<Peer> {
  const codec = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false })
  const fieldsOf = ({ counter, node, path, value }: Change): unknown[] => [counter, node, path, value]
  return Promise.resolve(
    floorOf({
      encode: (changes) => new Uint8Array(codec.encode(changes.map(fieldsOf))),
      decode: (bytes) =>
        (codec.decode(bytes) as [number, number, string, number][]).map(([counter, node, path, value]) => ({
          counter,
          node,
          path,
          value,
        })),
    }),
  )
}
