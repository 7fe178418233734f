import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** Fills the disk for what writes through descriptors, some bytes from now on, while `use` runs. */
export async function onFullDisk<T>(bytesFree: number, use: () => T | Promise<T>): Promise<T> {
  const { writeSync } = fs
  let free = bytesFree
  fs.writeSync = ((descriptor: number, bytes: Uint8Array, from = 0) => {
    const count = Math.min(free, bytes.length - from)
    if (count === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    free -= count
    return writeSync(descriptor, bytes, from, count)
  }) as never
  syncBuiltinESMExports()
  try {
    return await use()
  } finally {
    fs.writeSync = writeSync
    syncBuiltinESMExports()
  }
}
