import { decode } from 'cborg'
import { type CborData, encodeCbor } from '../../runtime/base/cbor.ts'
import { CborWriter } from '../../runtime/base/cbor-writer.ts'

/** Ways to break the structure of a frame, each at every place where it breaks: whoever reads the frame refuses it. */
export const STRUCTURAL_MUTATIONS: readonly (readonly [what: string, mutate: (frame: Uint8Array) => Uint8Array[]])[] = [
  ['a field too many', eachTuple(({ fields, isOpen, put }) => (isOpen ? [] : [put([...fields, null])]))],
  [
    'a field that is missing',
    eachTuple(({ fields, isOpen, put }) => (isOpen ? [] : fields.map((_, at) => put(fields.toSpliced(at, 1))))),
  ],
  ['a field of another type', eachTuple(({ fields, put }) => fields.map((_, at) => put(fields.with(at, 0.5))))],
  ['a name or a digest of one byte more', eachName((name) => Uint8Array.of(...name, 0))],
  ['a name or a digest of one byte less', eachName((name) => name.slice(1))],
  ['a field without a name that somebody knows', eachHeader({ kid: 1 })],
  ['a list where a map is due', eachHeader([])],
  ['a number where a map is due', eachHeader(0)],
  ['a version that is not known', eachFrame((frame) => frame.with(0, 2))],
  ['a kind that is not known', eachFrame((frame) => frame.with(2, 10))],
  ['a list that holds more than its head says', eachHead(-1)],
  ['a list that holds less than its head says', eachHead(1)],
]

/** A list whose fields each have a meaning, somewhere in a frame. */
interface Tuple {
  readonly fields: readonly CborData[]
  /** As they stand in the frame. */
  readonly bytes: Uint8Array
  /** It may end earlier, or later. */
  readonly isOpen: boolean
  /** The frame with others in its place. */
  readonly put: (fields: readonly CborData[]) => Uint8Array
}

/** Those of a frame, of its envelope, and of what it holds; of a batch also its first message. */
export function tuplesOf(frame: Uint8Array): Tuple[] {
  const fields = listIn(frame)
  const kind = fields[2] as number
  const whole: Tuple = { fields, bytes: frame, isOpen: false, put: encodeCbor }
  const content = fields[3] as CborData
  const isBatch = kind === BATCH
  const encodeContent = isBatch ? encodeShortest : encodeCbor
  const list = isBatch ? listIn(content as Uint8Array) : (content as readonly CborData[])
  const putContent = (changed: readonly CborData[]): Uint8Array =>
    encodeCbor(fields.with(3, isBatch ? encodeShortest(changed) : changed))
  const outer: Tuple = { fields: list, bytes: encodeContent(list), isOpen: endsFreely(kind, list), put: putContent }
  if (list.length !== 4 || !(list[2] instanceof Uint8Array) || !isMap(list[1]))
    return [whole, outer, ...messagesOf(outer, isBatch)]
  const payload = listIn(list[2])
  const putPayload = (changed: readonly CborData[]): Uint8Array => putContent(list.with(2, encodeContent(changed)))
  const inner: Tuple = { fields: payload, bytes: list[2], isOpen: endsFreely(kind, payload), put: putPayload }
  return [whole, outer, inner, ...messagesOf(inner, isBatch)]
}

function messagesOf({ fields, put }: Tuple, isBatch: boolean): Tuple[] {
  if (!isBatch) return []
  const messages = fields[4] as readonly (readonly CborData[])[]
  const [first = []] = messages
  const putFirst = (changed: readonly CborData[]): Uint8Array => put(fields.with(4, messages.with(0, changed)))
  return [{ fields: first, bytes: encodeShortest(first), isOpen: false, put: putFirst }]
}

const BATCH = 0

/**
 * An announcement may state what has settled, an epoch force or enrol, a request to join name a role, and an offer show the join
 * of its sponsor.
 */
function endsFreely(kind: number, fields: readonly CborData[]): boolean {
  const closed = new Map([
    [1, 14],
    [3, 4],
    [4, 5],
    [6, 5],
  ])
  return fields.length > (closed.get(kind) ?? fields.length)
}

function eachTuple(mutate: (tuple: Tuple) => Uint8Array[]) {
  return (frame: Uint8Array): Uint8Array[] => tuplesOf(frame).flatMap(mutate)
}

function eachName(change: (name: Uint8Array) => Uint8Array) {
  return eachTuple(({ fields, put }) => {
    return fields.flatMap((field, at) => {
      const isName = field instanceof Uint8Array && (field.length === 8 || field.length === 12)
      return isName ? [put(fields.with(at, change(field)))] : []
    })
  })
}

function eachHeader(header: CborData) {
  return eachTuple(({ fields, put }) => (isMap(fields[1]) ? [put(fields.with(1, header))] : []))
}

function eachFrame(change: (frame: readonly CborData[]) => readonly CborData[]) {
  return (frame: Uint8Array): Uint8Array[] => [encodeCbor(change(listIn(frame)))]
}

/** The heads of lists of up to 23 fields are one byte. */
function eachHead(difference: number) {
  return (frame: Uint8Array): Uint8Array[] => {
    return tuplesOf(frame).map(({ bytes }) => {
      const changed = Buffer.from(frame)
      const at = changed.indexOf(bytes)
      changed[at] = (changed[at] ?? 0) + difference
      return new Uint8Array(changed)
    })
  }
}

/** As everything in a batch is written. */
function encodeShortest(data: CborData): Uint8Array {
  const writer = new CborWriter()
  writer.value(data)
  return writer.take()
}

function listIn(bytes: Uint8Array): readonly CborData[] {
  return decode(bytes, { allowBigInt: true }) as readonly CborData[]
}

function isMap(data: CborData | undefined): boolean {
  return typeof data === 'object' && data !== null && !Array.isArray(data) && !(data instanceof Uint8Array)
}
