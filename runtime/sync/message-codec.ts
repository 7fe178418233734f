import { type CborData, decodeCbor, encodeBytesBehind, encodeCbor } from '../base/cbor.ts'
import { CborReader } from '../base/cbor-reader.ts'
import { CborWriter } from '../base/cbor-writer.ts'
import type { Digest } from '../base/digest.ts'
import { FleetstepError, unreachable } from '../base/errors.ts'
import { memberIdToBytes } from '../base/ids.ts'
import { EPOCH_RETIRED_MAX, FRAME_BYTES_MAX, FRAME_DEPTH_MAX, MEMBER_IDS_MAX } from '../base/limits.ts'
import { openBatch } from './batch-codec.ts'
import {
  digestBytes,
  digestFrom,
  invalid,
  listOf,
  NewerReleaseError,
  memberFrom,
  tupleOf,
  uintOf,
  unknownHere,
} from './codec-fields.ts'
import { openSign1 } from './cose.ts'
import { decodeEpoch, encodeEpoch } from './epoch.ts'
import {
  decodeChunk,
  decodeChunkRequest,
  decodeJoinRequest,
  decodeOffer,
  decodeRefusal,
  decodeTurn,
  encodeChunk,
  encodeChunkRequest,
  encodeJoinRequest,
  encodeOffer,
  encodeRefusal,
  encodeTurn,
} from './join-codec.ts'
import type { Announcement, Batch, ChunkRequest, Gap, Message, Offer, Request, Telemetry } from './message.ts'
import { decodeTelemetry, encodeTelemetry } from './telemetry-codec.ts'
import type { VersionEntry } from './version-vector.ts'

const PROTOCOL_VERSION = 1

const KIND_BATCH = 0
const KIND_ANNOUNCEMENT = 1
const KIND_REQUEST = 2
const KIND_EPOCH = 3
const KIND_JOIN_REQUEST = 4
const KIND_REFUSAL = 5
const KIND_OFFER = 6
const KIND_CHUNK_REQUEST = 7
const KIND_CHUNK = 8
const KIND_TELEMETRY = 9

/** frame = [version, fleet, kind, body], see `sync.cddl`. Plain CBOR, decodable by anybody. */
export function encodeFrame(fleet: Digest, message: Message): Uint8Array {
  if (message.kind === 'batch') return encodeBatchFrame(fleet, message.batch)
  const start = beginningOf(fleet).bytes
  frameWriter.reset()
  frameWriter.raw(start)
  const [kind, body] = kindAndBody(message)
  frameWriter.uint(kind)
  frameWriter.raw(body)
  return frameWriter.take()
}

/** The frame of nearly every message: what does not change of it is encoded once. */
export function encodeBatchFrame(fleet: Digest, batch: Batch): Uint8Array {
  return encodeBytesBehind(beginningOf(fleet).ofBatch, batch.payload)
}

/**
 * Checks the whole frame before anything is returned.
 * @throws FleetstepError `message-invalid`; the message says which field, and names another version or fleet as such
 */
export function decodeFrame(fleet: Digest, frame: Uint8Array): Message {
  if (frame.length > FRAME_BYTES_MAX) throw invalid('frame', `has more than ${FRAME_BYTES_MAX} bytes`)
  const reader = frameReader.begin(frame)
  if (!reader.takeBeginning(beginningOf(fleet).bytes)) readBeginning(reader, fleet)
  const kind = reader.uint('kind')
  if (kind === KIND_ANNOUNCEMENT)
    return { kind: 'announcement', announcement: openSealed(reader.rest(), 'announcement', decodeAnnouncement) }
  if (kind === KIND_OFFER) return { kind: 'offer', offer: openSealed(reader.rest(), 'offer', decodeOffer) }
  if (kind === KIND_REQUEST) return { kind: 'request', request: openSealed(reader.rest(), 'request', decodeRequest) }
  if (kind === KIND_CHUNK_REQUEST)
    return { kind: 'chunk-request', request: openSealed(reader.rest(), 'request for a chunk', decodeChunkRequest) }
  if (kind === KIND_TELEMETRY)
    return { kind: 'telemetry', telemetry: openSealed(reader.rest(), 'telemetry', decodeTelemetry) }
  if (kind !== KIND_BATCH) return decodeBody(kind, decodeCbor(reader.rest(), FRAME_DEPTH_MAX - 1))
  return { kind: 'batch', batch: openBatch(reader.enter('batch', 1, FRAME_BYTES_MAX), reader) }
}

/** Says what is wrong with a frame that does not begin as those of this fleet. */
function readBeginning(reader: CborReader, fleet: Digest): void {
  reader.list('frame', 4, 4)
  if (reader.uint('version') !== PROTOCOL_VERSION) throw otherVersion(reader, fleet)
  if (reader.digest('fleet') !== fleet) throw invalid('fleet', 'is another one, or this one with other founders')
}

/** Noise has any number here, and seldom our fleet behind it. */
function otherVersion(reader: CborReader, fleet: Digest): FleetstepError {
  const problem = `version is not ${PROTOCOL_VERSION}: a node here runs another release`
  const ofUs = new CborWriter()
  ofUs.bytes(digestBytes(fleet))
  const isOurs = reader.takeBeginning(ofUs.take())
  return isOurs ? new NewerReleaseError('message-invalid', problem) : new FleetstepError('message-invalid', problem)
}

/** With which all frames of one fleet begin. */
function beginningOf(fleet: Digest): Beginning {
  if (beginning.fleet !== fleet) {
    frameWriter.reset()
    frameWriter.list(4)
    frameWriter.uint(PROTOCOL_VERSION)
    frameWriter.hex(fleet)
    const bytes = new Uint8Array(frameWriter.take())
    beginning = { fleet, bytes, ofBatch: Uint8Array.of(...bytes, KIND_BATCH) }
  }
  return beginning
}

interface Beginning {
  readonly fleet: Digest | null
  readonly bytes: Uint8Array
  /** The same with the kind of a batch. */
  readonly ofBatch: Uint8Array
}

/** Of the fleet that was spoken of last; a process has one, but for simulations. */
let beginning: Beginning = { fleet: null, bytes: new Uint8Array(), ofBatch: new Uint8Array() }

function decodeBody(kind: number, body: CborData): Message {
  switch (kind) {
    case KIND_EPOCH:
      return { kind: 'epoch', epoch: decodeEpoch(body) }
    case KIND_JOIN_REQUEST:
      return { kind: 'join-request', request: decodeJoinRequest(body) }
    case KIND_REFUSAL:
      return { kind: 'refusal', refusal: decodeRefusal(body) }
    case KIND_CHUNK:
      return { kind: 'chunk', chunk: decodeChunk(body) }
    default:
      throw unknownHere('kind')
  }
}

/** The part of the message of an error that names the field: what dropped frames are counted by. */
export function dropReason(error: unknown): string {
  if (!(error instanceof FleetstepError)) throw error
  return error.message
}

const frameWriter = new CborWriter()
const frameReader = new CborReader()

function kindAndBody(message: Exclude<Message, { readonly kind: 'batch' }>): readonly [number, Uint8Array] {
  switch (message.kind) {
    case 'announcement':
      return [KIND_ANNOUNCEMENT, message.announcement.sealed ?? announcementPayload(message.announcement)]
    case 'request':
      return [KIND_REQUEST, message.request.sealed ?? requestPayload(message.request)]
    case 'epoch':
      return [KIND_EPOCH, encodeCbor(encodeEpoch(message.epoch))]
    case 'join-request':
      return [KIND_JOIN_REQUEST, encodeCbor(encodeJoinRequest(message.request))]
    case 'refusal':
      return [KIND_REFUSAL, encodeCbor(encodeRefusal(message.refusal))]
    case 'offer':
      return [KIND_OFFER, message.offer.sealed ?? offerPayload(message.offer)]
    case 'chunk-request':
      return [KIND_CHUNK_REQUEST, message.request.sealed ?? chunkRequestPayload(message.request)]
    case 'chunk':
      return [KIND_CHUNK, encodeCbor(encodeChunk(message.chunk))]
    case 'telemetry':
      return [KIND_TELEMETRY, message.telemetry.sealed ?? telemetryPayload(message.telemetry)]
    default:
      return unreachable(message)
  }
}

/** What is signed of an announcement. */
export function announcementPayload(announcement: Announcement): Uint8Array {
  return encodeCbor(encodeAnnouncement(announcement))
}

/** The same of an offer. */
export function offerPayload(offer: Offer): Uint8Array {
  return encodeCbor(encodeOffer(offer))
}

/** The same of a request for operations. */
export function requestPayload(request: Request): Uint8Array {
  return encodeCbor(encodeRequest(request))
}

/** The same of a request for a chunk. */
export function chunkRequestPayload(request: ChunkRequest): Uint8Array {
  return encodeCbor(encodeChunkRequest(request))
}

/** The same of telemetry. */
export function telemetryPayload(telemetry: Telemetry): Uint8Array {
  return encodeCbor(encodeTelemetry(telemetry))
}

/** An envelope is a list of four that begins with three bytes; whatever is bare begins with a member id. */
function openSealed<T extends object>(
  body: Uint8Array,
  field: string,
  decode: (data: CborData, isSealed: boolean) => T,
): T & { readonly sealed?: Uint8Array } {
  const sealed = body[0] === 0x84 && body[1] === 0x43 ? new Uint8Array(body) : null
  const payload = sealed === null ? body : openSign1(sealed, field).payload
  const content = decode(decodeCbor(payload, FRAME_DEPTH_MAX - 1), sealed !== null)
  return sealed === null ? content : { ...content, sealed }
}

function encodeAnnouncement(announcement: Announcement): CborData {
  return [
    memberIdToBytes(announcement.member),
    announcement.start,
    announcement.number,
    announcement.epoch,
    announcement.newestEpoch,
    digestBytes(announcement.epochDigest),
    announcement.knowsCuts,
    announcement.frozen?.map(encodeVersionEntry) ?? null,
    announcement.stage,
    announcement.ownSeq,
    announcement.floor,
    digestBytes(announcement.floorDigest),
    digestBytes(announcement.vectorDigest),
    announcement.vector?.map(encodeVersionEntry) ?? null,
    ...(announcement.state === undefined ? [] : [announcement.state.stage, digestBytes(announcement.state.digest)]),
  ]
}

function decodeAnnouncement(data: CborData | undefined): Announcement {
  const fields = tupleOf(data, 'announcement', Array.isArray(data) && data.length > 14 ? 16 : 14)
  const [member, start, number, epoch, newestEpoch, epochDigest, knowsCuts, frozen, ...rest] = fields
  const [stage, ownSeq, floor, floorDigest, vectorDigest, vector, ...state] = rest
  if (typeof knowsCuts !== 'boolean') throw invalid('knowledge of the cuts', 'is neither true nor false')
  const entries = vector === null ? null : listOf(vector, 'vector', MEMBER_IDS_MAX).map(decodeVersionEntry)
  return {
    member: memberFrom(member, 'member'),
    start: uintOf(start, 'start'),
    number: uintOf(number, 'number'),
    epoch: uintOf(epoch, 'epoch'),
    newestEpoch: uintOf(newestEpoch, 'newest epoch'),
    epochDigest: digestFrom(epochDigest, 'digest of the epoch'),
    knowsCuts,
    frozen: frozen === null ? null : listOf(frozen, 'frozen entries', EPOCH_RETIRED_MAX).map(decodeVersionEntry),
    stage: uintOf(stage, 'stage'),
    ownSeq: uintOf(ownSeq, 'own seq'),
    floor: uintOf(floor, 'floor'),
    floorDigest: digestFrom(floorDigest, 'digest of the floor'),
    vectorDigest: digestFrom(vectorDigest, 'digest of the vector'),
    vector: entries,
    ...(state.length === 0 ? {} : { state: decodeState(state) }),
  }
}

function decodeState([stage, digest]: readonly CborData[]): Announcement['state'] & {} {
  return { stage: uintOf(stage, 'stage of the state'), digest: digestFrom(digest, 'digest of the state') }
}

export function encodeVersionEntry(entry: VersionEntry): CborData {
  return [memberIdToBytes(entry.member), entry.seq, digestBytes(entry.digest)]
}

export function decodeVersionEntry(data: CborData): VersionEntry {
  const [member, seq, digest] = tupleOf(data, 'entry of the vector', 3)
  return { member: memberFrom(member, 'member'), seq: uintOf(seq, 'seq'), digest: digestFrom(digest, 'chain digest') }
}

function encodeRequest(request: Request): CborData {
  return [
    memberIdToBytes(request.from),
    request.to === null ? null : memberIdToBytes(request.to),
    request.gaps.map((gap) => [memberIdToBytes(gap.member), gap.after, gap.through]),
    ...encodeTurn(request.turn),
  ]
}

function decodeRequest(data: CborData | undefined, isSealed: boolean): Request {
  const [from, to, gaps, ...turn] = tupleOf(data, 'request', isSealed ? 5 : 3)
  return {
    ...decodeTurn(turn),
    from: memberFrom(from, 'asker'),
    to: to === null ? null : memberFrom(to, 'answerer'),
    gaps: listOf(gaps, 'gaps', MEMBER_IDS_MAX).map(decodeGap),
  }
}

function decodeGap(data: CborData): Gap {
  const [member, after, through] = tupleOf(data, 'gap', 3)
  const gap = { member: memberFrom(member, 'member'), after: uintOf(after, 'gap'), through: uintOf(through, 'gap') }
  if (gap.through <= gap.after) throw invalid('gap', 'is empty')
  return gap
}
