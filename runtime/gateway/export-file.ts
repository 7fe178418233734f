import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import * as v from 'valibot'
import { FleetstepError } from '../base/errors.ts'
import { EXPORT_FILE_BYTES_MAX, RECORD_BYTES_MAX, SNAPSHOT_BYTES_MAX } from '../base/limits.ts'
import { type IdentityRecord, parseIdentityRecord } from '../device/identity/record.ts'
import type { StoreOwner } from '../storage/store.ts'
import type { Snapshot } from '../storage/snapshot.ts'
import { decodeRecord } from '../sync/records.ts'
import { decodeSnapshot } from '../sync/snapshot.ts'
import { EXPORT_VERSION } from './data-export.ts'

/** A whole export that this version understands. */
export interface ExportedData {
  readonly owner: StoreOwner
  readonly identity: IdentityRecord | null
  readonly snapshot: Snapshot | null
  readonly records: readonly Uint8Array[]
  readonly lastRecord: number
  /** False for one that was made of a damaged directory: acknowledged records were missing already. */
  readonly isWhole: boolean
}

/**
 * Reads an export and checks all of it: its checksum, its order, and that a gateway can make something of each part.
 * @throws FleetstepError `export-invalid`
 */
export async function readExport(file: string): Promise<ExportedData> {
  const reader = new ExportReader(file)
  try {
    const found = statSync(file)
    // A device or a pipe does not say how much is to come, and may never end.
    if (!found.isFile()) throw invalid(file, 'is no file')
    if (found.size > EXPORT_FILE_BYTES_MAX) {
      throw invalid(file, `has more than ${EXPORT_FILE_BYTES_MAX} bytes, which no export has`)
    }
    const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
    for await (const line of lines) reader.take(line)
  } catch (cause) {
    if (cause instanceof FleetstepError) throw cause
    throw invalid(file, `cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, cause)
  }
  return reader.end()
}

const HEAD = v.object({
  export: v.number(),
  fleet: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  node: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  isWhole: v.boolean(),
  lastRecord: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
})
const IDENTITY = v.strictObject({ identity: v.unknown() })
const SNAPSHOT = v.strictObject({ snapshot: v.string(), through: v.pipe(v.number(), v.safeInteger(), v.minValue(1)) })
const RECORD = v.strictObject({ record: v.number(), bytes: v.string() })
const CHECKSUM = v.strictObject({ sha256: v.string() })

/** Takes the lines one by one. Each kind has its place, so what is missing, doubled or moved is noticed. */
class ExportReader {
  readonly #file: string
  readonly #hash = createHash('sha256')
  readonly #records: Uint8Array[] = []
  #line = 0
  #head: v.InferOutput<typeof HEAD> | null = null
  #identity: IdentityRecord | null = null
  #snapshot: Snapshot | null = null
  #isEnded = false

  constructor(file: string) {
    this.#file = file
  }

  take(line: string): void {
    this.#line += 1
    if (this.#isEnded) throw this.#wrong('comes after the end')
    const value = this.#parse(line)
    if (v.is(CHECKSUM, value)) {
      if (value.sha256 !== this.#hash.digest('hex')) throw this.#wrong('is not the checksum of what stands before it')
      this.#isEnded = true
      return
    }
    this.#hash.update(`${line}\n`)
    if (this.#head === null) this.#head = this.#headOf(value)
    else this.#takePart(value, this.#head)
  }

  end(): ExportedData {
    if (this.#head === null || !this.#isEnded) {
      throw invalid(this.#file, 'is not all of an export: its end is missing')
    }
    const { fleet, node, isWhole, lastRecord } = this.#head
    if (this.#last !== lastRecord) throw invalid(this.#file, `holds records up to ${this.#last} of ${lastRecord}`)
    const [identity, snapshot, records] = [this.#identity, this.#snapshot, this.#records]
    return { owner: { fleet, node }, identity, snapshot, records, lastRecord, isWhole }
  }

  get #last(): number {
    return (this.#snapshot?.through ?? 0) + this.#records.length
  }

  #headOf(value: unknown): v.InferOutput<typeof HEAD> {
    if (!v.is(HEAD, value)) throw this.#wrong('does not begin an export')
    if (value.export > EXPORT_VERSION) {
      throw this.#wrong(`is of an export of format ${value.export}: import it with the release that wrote it`)
    }
    return value
  }

  #takePart(value: unknown, head: v.InferOutput<typeof HEAD>): void {
    const isFirst = this.#snapshot === null && this.#records.length === 0
    if (v.is(RECORD, value) && value.record === this.#last + 1) {
      this.#records.push(this.#means(this.#bytesOf(value.bytes, RECORD_BYTES_MAX), decodeRecord))
    } else if (v.is(SNAPSHOT, value) && isFirst) {
      const bytes = this.#means(this.#bytesOf(value.snapshot, SNAPSHOT_BYTES_MAX), decodeSnapshot)
      this.#snapshot = { bytes, through: value.through }
    } else if (v.is(IDENTITY, value) && isFirst && this.#identity === null) {
      this.#identity = parseIdentityRecord(value.identity, `${this.#file}:${this.#line}`)
      if (this.#identity.id !== head.node) throw this.#wrong('is the identity of another node')
    } else throw this.#wrong('does not belong here')
  }

  #parse(line: string): unknown {
    try {
      return JSON.parse(line)
    } catch {
      throw this.#wrong('is not JSON')
    }
  }

  #bytesOf(text: string, bytesMax: number): Uint8Array {
    const bytes = new Uint8Array(Buffer.from(text, 'base64'))
    if (Buffer.from(bytes).toString('base64') !== text) throw this.#wrong('is not base64')
    if (bytes.length > bytesMax) throw this.#wrong(`has more than ${bytesMax} bytes`)
    return bytes
  }

  /** A gateway could not start with what it cannot read. */
  #means(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): Uint8Array {
    try {
      decode(bytes)
      return bytes
    } catch (cause) {
      if (cause instanceof FleetstepError) throw this.#wrong(`means nothing to a gateway (${cause.message})`)
      throw cause
    }
  }

  #wrong(problem: string): FleetstepError {
    return invalid(`${this.#file}:${this.#line}`, problem)
  }
}

function invalid(place: string, problem: string, cause?: unknown): FleetstepError {
  return new FleetstepError(
    'export-invalid',
    `${place} ${problem}; nothing was changed: import a file that fleetstep storage export wrote, unaltered`,
    { cause },
  )
}
