import { PATHS } from '../workload.ts'
import { type Change, floorOf } from './floor.ts'
import type { Peer, Scalar } from './peer.ts'

const indexes = new Map<string, number>(PATHS.map((path, index) => [path, index]))
const buffer = Buffer.alloc(64 * 1024)

/** Messages packed by hand, in which a path is its place in a table that all nodes have agreed on beforehand. */
export function openPackedFloor(): Promise<Peer> {
  return Promise.resolve(floorOf({ encode, decode }))
}

function encode(changes: readonly Change[]): Uint8Array {
  let at = 0
  for (const { counter, node, path, value } of changes) {
    at = buffer.writeUInt32LE(counter, at)
    at = buffer.writeUInt8(node, at)
    at = buffer.writeUInt16LE(indexes.get(path) ?? 0, at)
    at = encodeValue(value, at)
  }
  return new Uint8Array(buffer.subarray(0, at))
}

function encodeValue(value: Scalar, at: number): number {
  if (typeof value === 'boolean') return buffer.writeUInt8(value ? 1 : 0, at)
  if (typeof value === 'string') {
    buffer.writeUInt8(16 + value.length, at)
    return at + 1 + buffer.write(value, at + 1, 'latin1')
  }
  if (Number.isInteger(value) && value >= 0 && value < 0x1_0000) {
    buffer.writeUInt8(2, at)
    return buffer.writeUInt16LE(value, at + 1)
  }
  buffer.writeUInt8(3, at)
  return buffer.writeDoubleLE(value, at + 1)
}

function decode(bytes: Uint8Array): Change[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const changes: Change[] = []
  for (let at = 0; at < view.length;) {
    const counter = view.readUInt32LE(at)
    const node = view[at + 4] as number
    const path = PATHS[view.readUInt16LE(at + 5)] as string
    const tag = view[at + 7] as number
    at += 8
    let value: Scalar
    if (tag < 2) value = tag === 1
    else if (tag === 2) value = view.readUInt16LE(at)
    else if (tag === 3) value = view.readDoubleLE(at)
    else value = view.toString('latin1', at, at + tag - 16)
    at += tag < 2 ? 0 : tag === 2 ? 2 : tag === 3 ? 8 : tag - 16
    changes.push({ counter, node, path, value })
  }
  return changes
}
