import { FleetstepError, assert } from '../base/errors.ts'
import { SNAPSHOT_BYTES_MAX, SNAPSHOT_STEP_BYTES } from '../base/limits.ts'
import { crc32 } from '../base/checksum.ts'
import type { Evidence } from './evidence.ts'
import { errorCode, readFully, withFile, writeFully } from './file-system.ts'
import type { File, FileSystem } from './file-system.ts'
import { FORMAT_VERSION, getUint48, setUint48 } from './page.ts'

/** A snapshot as it was read. */
export interface Snapshot {
  readonly bytes: Uint8Array
  readonly through: number
}

/**
 * The two files `snapshot-a` and `snapshot-b`. The older one is replaced, so a whole one is there at every moment, and
 * the journal is kept as far back as the older one, so a decayed newer one costs nothing.
 */
export class Snapshots {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  #kept: readonly Header[] = []

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
  }

  /** Reads the newest whole one; sets aside each that is not whole. */
  async load(evidence: Evidence): Promise<{ snapshot: Snapshot | null; findings: readonly string[] }> {
    const names = await this.#fileSystem.list(this.#directory)
    const findings: string[] = []
    const headers: Header[] = []
    for (const name of NAMES.filter((one) => names.includes(one))) {
      const header = await this.#read(name, readHeader)
      if (header === null) findings.push(await this.#setAside(name, evidence))
      else headers.push({ name, ...header })
    }
    headers.sort((left, right) => right.through - left.through)
    while (headers[0] !== undefined) {
      const newest = headers[0]
      const bytes = await this.#read(newest.name, (file) => readBody(file, newest))
      this.#kept = headers
      if (bytes !== null) return { snapshot: { bytes, through: newest.through }, findings }
      headers.shift()
      findings.push(await this.#setAside(newest.name, evidence))
    }
    return { snapshot: null, findings }
  }

  /** Last record of the newest snapshot, or 0. */
  get through(): number {
    return this.#kept[0]?.through ?? 0
  }

  /** Records up to this one are in both snapshots. */
  get coveredByBoth(): number {
    return this.#kept.length < NAMES.length ? 0 : Math.min(...this.#kept.map(({ through }) => through))
  }

  /** Bytes of the newest. */
  get newestBytes(): number {
    return this.#kept[0]?.length ?? 0
  }

  get diskBytes(): number {
    return this.#kept.reduce((sum, { length }) => sum + HEADER_BYTES + length, 0)
  }

  /**
   * Replaces the older one; durable on return. Leaves nothing behind if it fails.
   * @returns the bytes written
   */
  async write(bytes: Uint8Array, through: number): Promise<number> {
    assert(through >= this.through, 'a snapshot is not older than the one before it')
    if (bytes.length > SNAPSHOT_BYTES_MAX) {
      throw new FleetstepError(
        'limit-reached',
        `${this.#directory}: a snapshot of ${bytes.length} bytes is over the limit of ${SNAPSHOT_BYTES_MAX}; keep fewer or shorter values`,
      )
    }
    const newest = this.#kept[0]
    const name = NAMES.find((one) => one !== newest?.name) ?? NAMES[0]
    const draft = `${this.#directory}/snapshot.new`
    try {
      await withFile(this.#fileSystem, draft, 'create', (file) => writeSnapshot(file, bytes, through))
    } catch (error) {
      await this.#fileSystem.remove(draft).catch(() => undefined)
      throw error
    }
    await this.#fileSystem.rename(draft, `${this.#directory}/${name}`)
    await this.#fileSystem.syncDirectory(this.#directory)
    const written: Header = { name, through, length: bytes.length, checksum: 0 }
    this.#kept = newest === undefined ? [written] : [written, newest]
    return HEADER_BYTES + bytes.length
  }

  async #read<T>(name: string, read: (file: File) => Promise<T | null>): Promise<T | null> {
    try {
      return await withFile(this.#fileSystem, `${this.#directory}/${name}`, 'read', read)
    } catch (error) {
      if (errorCode(error) === 'EIO') return null
      throw error
    }
  }

  async #setAside(name: string, evidence: Evidence): Promise<string> {
    await evidence.makeRoom()
    const aside = await evidence.moveAside(name)
    await this.#fileSystem.syncDirectory(this.#directory)
    return `${this.#directory}/${aside}: the damaged ${name} is kept here as evidence and is not used; check the medium`
  }
}

interface Header {
  readonly name: string
  readonly through: number
  /** Bytes behind the header. */
  readonly length: number
  readonly checksum: number
}

const NAMES = ['snapshot-a', 'snapshot-b'] as const
/** `FSSN`: Fleetstep snapshot. */
const MAGIC = 0x4653534e
const HEADER_BYTES = 32

/** The body goes first and in steps, its checksum into the header last. */
async function writeSnapshot(file: File, bytes: Uint8Array, through: number): Promise<void> {
  let checksum = 0
  for (let at = 0; at < bytes.length; at += SNAPSHOT_STEP_BYTES) {
    const step = bytes.subarray(at, at + SNAPSHOT_STEP_BYTES)
    checksum = crc32(step, checksum)
    await writeFully(file, step, HEADER_BYTES + at)
  }
  const header = new Uint8Array(HEADER_BYTES)
  const view = new DataView(header.buffer)
  view.setUint32(4, MAGIC)
  view.setUint8(8, FORMAT_VERSION)
  setUint48(view, 10, through)
  setUint48(view, 16, bytes.length)
  view.setUint32(22, checksum)
  view.setUint32(0, crc32(header.subarray(4)))
  await writeFully(file, header, 0)
  await file.sync()
}

async function readHeader(file: File): Promise<Omit<Header, 'name'> | null> {
  const bytes = await readFully(file, HEADER_BYTES, 0)
  if (bytes.length < HEADER_BYTES) return null
  const view = new DataView(bytes.buffer)
  if (view.getUint32(0) !== crc32(bytes.subarray(4)) || view.getUint32(4) !== MAGIC) return null
  if (view.getUint8(8) !== FORMAT_VERSION) return null
  const length = getUint48(view, 16)
  if (length > SNAPSHOT_BYTES_MAX || (await file.size()) !== HEADER_BYTES + length) return null
  return { through: getUint48(view, 10), length, checksum: view.getUint32(22) }
}

async function readBody(file: File, header: Header): Promise<Uint8Array | null> {
  const bytes = await readFully(file, header.length, HEADER_BYTES)
  return bytes.length === header.length && crc32(bytes) === header.checksum ? bytes : null
}
