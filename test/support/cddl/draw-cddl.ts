import { unreachable } from '../../../runtime/base/errors.ts'
import type { Random } from '../../../runtime/base/random.ts'
import type { CborItem } from './cbor-item.ts'
import type { Cddl, Entry, Group, Type } from './parse-cddl.ts'
import { writeCborItem } from './write-cbor-item.ts'

/** Draws data that a document in CDDL describes. */
export class CddlDrawer {
  readonly #rules: Cddl
  readonly #random: Random
  #depth = 0

  constructor(rules: Cddl, random: Random) {
    this.#rules = rules
    this.#random = random
  }

  /** Bytes that the rule `name` describes. */
  draw(name: string): Uint8Array {
    return writeCborItem(this.#item({ kind: 'name', name, parameters: [] }, new Map()))
  }

  #item(type: Type, bindings: Bindings): CborItem {
    switch (type.kind) {
      case 'choice':
        return this.#item(this.#pick(this.#depth > DEPTH_MAX ? type.types.slice(0, 1) : type.types), bindings)
      case 'value':
        return itemOf(type.value)
      case 'range':
        return { kind: 'integer', value: this.#integer(type.from, type.to) }
      case 'values':
        return this.#item(this.#pick(type.group.choices.flat()).content as Type, bindings)
      case 'array':
        return { kind: 'array', items: this.#items(type.group, bindings) }
      case 'map':
        return { kind: 'map', entries: this.#entries(type.group, bindings) }
      case 'size':
        return this.#ofSize(type.target, type.controller, bindings)
      case 'cbor':
        return { kind: 'bytes', value: writeCborItem(this.#item(type.controller, bindings)) }
      case 'name':
        return this.#named(type, bindings)
      default:
        return unreachable(type)
    }
  }

  #named({ name, parameters }: Type & { kind: 'name' }, bindings: Bindings): CborItem {
    const bound = bindings.get(name)
    if (bound !== undefined) return this.#item(bound.type, bound.bindings)
    const rule = this.#rules.get(name)
    if (rule === undefined) return this.#ofPrelude(name)
    if (rule.body.kind === 'group') throw new Error(`${name} is no type`)
    const inner = rule.parameters.map((one, index) => [one, { type: parameters[index] as Type, bindings }] as const)
    this.#depth += 1
    const item = this.#item(rule.body, new Map(inner))
    this.#depth -= 1
    return item
  }

  #ofPrelude(name: string): CborItem {
    switch (name) {
      case 'int':
        return { kind: 'integer', value: this.#integer(-(2n ** 63n), 2n ** 64n - 1n) }
      case 'float':
        return this.#pick(FLOATS)
      case 'float64':
        return this.#pick(FLOATS.filter(({ bits }) => bits === 64))
      case 'bool':
        return { kind: 'simple', value: this.#below(2) === 0 }
      case 'true':
        return { kind: 'simple', value: true }
      case 'null':
        return { kind: 'simple', value: null }
      case 'tstr':
        return { kind: 'text', value: this.#text(1 + this.#below(8)) }
      case 'bstr':
        return { kind: 'bytes', value: this.#bytes(this.#below(20)) }
      default:
        throw new Error(`nothing is drawn of ${name}`)
    }
  }

  #ofSize(target: Type, controller: Type, bindings: Bindings): CborItem {
    const size = this.#item(controller, bindings)
    const length = size.kind === 'integer' ? Number(size.value) : 0
    const isText = target.kind === 'name' && target.name === 'tstr'
    return isText ? { kind: 'text', value: this.#text(length) } : { kind: 'bytes', value: this.#bytes(length) }
  }

  #items(group: Group, bindings: Bindings): CborItem[] {
    return this.#pick(group.choices).flatMap((entry) => {
      return Array.from({ length: this.#countOf(entry) }, () => this.#itemsOf(entry, bindings)).flat()
    })
  }

  #itemsOf({ content }: Entry, bindings: Bindings): CborItem[] {
    if (content.kind === 'group') return this.#items(content, bindings)
    const rule = content.kind === 'name' && !bindings.has(content.name) ? this.#rules.get(content.name) : undefined
    return rule?.body.kind === 'group' ? this.#items(rule.body, new Map()) : [this.#item(content, bindings)]
  }

  #entries(group: Group, bindings: Bindings): (readonly [CborItem, CborItem])[] {
    const [entry] = group.choices.flat()
    if (entry === undefined || entry.key === null) return []
    const { key, content } = entry
    const pairs = Array.from({ length: this.#countOf(entry) }, () => {
      return [this.#item(key, bindings), this.#item(content as Type, bindings)] as const
    })
    const names = pairs.map(([name]) => (name.kind === 'text' ? name.value : ''))
    return pairs.filter((_, index) => names.indexOf(names[index] as string) === index)
  }

  #countOf({ min, max }: Entry): number {
    if (min === max) return min
    return Math.min(max, min + this.#below(this.#depth > DEPTH_MAX ? 1 : 4))
  }

  /** Mostly a small one, and seldom an end: the sum of two of those is no number of the protocol any more. */
  #integer(from: bigint, to: bigint): bigint {
    const ends = [from, to, to - 1n]
    const small = [0n, 0n, 1n, 1n, BigInt(this.#below(24)), BigInt(this.#below(2000))]
    const drawn = this.#pick(this.#below(16) === 0 ? ends : small)
    return drawn >= from && drawn <= to ? drawn : from
  }

  #text(length: number): string {
    return Array.from({ length }, () => LETTERS[this.#below(LETTERS.length)]).join('')
  }

  #bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#below(256))
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T
  }

  #below(limit: number): number {
    return this.#random.uint32() % limit
  }
}

type Bindings = ReadonlyMap<string, { readonly type: Type; readonly bindings: Bindings }>

const DEPTH_MAX = 12
const LETTERS = 'abcdefgh'
/** One of each width that has no shorter form. */
const FLOATS = [
  { kind: 'float', value: 1.5, bits: 16 },
  { kind: 'float', value: 1 + 2 ** -20, bits: 32 },
  { kind: 'float', value: 0.1, bits: 64 },
] as const

function itemOf(value: bigint | string | Uint8Array): CborItem {
  if (typeof value === 'bigint') return { kind: 'integer', value }
  return typeof value === 'string' ? { kind: 'text', value } : { kind: 'bytes', value }
}
