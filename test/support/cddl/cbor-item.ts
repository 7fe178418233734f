import { type Token, Tokenizer } from 'cborg'

/** An item of the data model of RFC 8949, in which a float is no integer and knows how wide it was written. */
export type CborItem =
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'array'; readonly items: readonly CborItem[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [CborItem, CborItem])[] }
  | { readonly kind: 'simple'; readonly value: boolean | null | undefined }
  | { readonly kind: 'float'; readonly value: number; readonly bits: 16 | 32 | 64 }

/** @throws Error unless `bytes` are exactly one well-formed item, without tags, and of at most {@link DEPTH_MAX} levels */
export function readCborItem(bytes: Uint8Array): CborItem {
  const tokens = new Tokenizer(bytes, { allowBigInt: true, allowIndefinite: false, retainStringBytes: true })
  const item = readItem(tokens, 0)
  if (!tokens.done()) throw new Error('bytes follow the item')
  return item
}

const DEPTH_MAX = 100
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readItem(tokens: Tokenizer, depth: number): CborItem {
  if (tokens.done()) throw new Error('the item ends early')
  if (depth > DEPTH_MAX) throw new Error('the item is nested too deep')
  const token: Token = tokens.next()
  const value: unknown = token.value
  switch (token.type.name) {
    case 'uint':
    case 'negint':
      return { kind: 'integer', value: BigInt(value as number | bigint) }
    case 'bytes':
      return { kind: 'bytes', value: value as Uint8Array }
    case 'string':
      return { kind: 'text', value: utf8.decode(token.byteValue) }
    case 'array':
      return { kind: 'array', items: readItems(tokens, value as number, depth) }
    case 'map': {
      const flat = readItems(tokens, 2 * (value as number), depth)
      const keys = flat.filter((_, index) => index % 2 === 0)
      return { kind: 'map', entries: keys.map((key, index) => [key, flat[2 * index + 1] as CborItem]) }
    }
    case 'false':
    case 'true':
    case 'null':
    case 'undefined':
      return { kind: 'simple', value: value as boolean | null | undefined }
    case 'float':
      return {
        kind: 'float',
        value: value as number,
        bits: token.encodedLength === 3 ? 16 : token.encodedLength === 5 ? 32 : 64,
      }
    default:
      throw new Error(`an item is of the type ${token.type.name}`)
  }
}

function readItems(tokens: Tokenizer, count: number, depth: number): CborItem[] {
  const items: CborItem[] = []
  while (items.length < count) items.push(readItem(tokens, depth + 1))
  return items
}
