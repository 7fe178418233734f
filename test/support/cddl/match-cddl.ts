import { unreachable } from '../../../runtime/base/errors.ts'
import { type CborItem, readCborItem } from './cbor-item.ts'
import type { Cddl, Entry, Group, Type } from './parse-cddl.ts'

/**
 * Holds data against a document in CDDL. Choices are taken in their order, and entries as often as they fit, as RFC 8610 has it
 * (section 3.10 and appendix A): nothing is tried again differently.
 */
export class CddlMatcher {
  readonly #rules: Cddl

  /** @throws Error for a name that is not defined, and for a name of the prelude that is defined again */
  constructor(rules: Cddl) {
    this.#rules = rules
    for (const [name, { parameters, body }] of rules) {
      if (PRELUDE.has(name)) throw new Error(`${name} is of the prelude`)
      for (const used of namesIn(body)) {
        if (!rules.has(used) && !PRELUDE.has(used) && !parameters.includes(used))
          throw new Error(`${used} is not defined`)
      }
    }
  }

  /** True if `bytes` are one item that the rule `name` describes. */
  matches(name: string, bytes: Uint8Array): boolean {
    const item = itemOrNull(bytes)
    return item !== null && this.#isOfType({ kind: 'name', name, parameters: [] }, item, NO_BINDINGS)
  }

  /** Rules that are not reached from the rules `roots`. */
  unused(roots: readonly string[]): string[] {
    const reached = new Set(roots)
    for (const name of reached) {
      const rule = this.#rules.get(name)
      if (rule !== undefined) for (const used of namesIn(rule.body)) reached.add(used)
    }
    return [...this.#rules.keys()].filter((name) => !reached.has(name))
  }

  #isOfType(type: Type, item: CborItem, bindings: Bindings): boolean {
    switch (type.kind) {
      case 'choice':
        return type.types.some((one) => this.#isOfType(one, item, bindings))
      case 'value':
        return isValue(type.value, item)
      case 'range':
        return item.kind === 'integer' && item.value >= type.from && item.value <= type.to
      case 'values':
        return type.group.choices.flat().some(({ content }) => this.#isOfContent(content, item, bindings))
      case 'array':
        return item.kind === 'array' && this.#endOf(type.group, item.items, 0, bindings) === item.items.length
      case 'map':
        return item.kind === 'map' && this.#isOfMap(type.group, item.entries, bindings)
      case 'size':
      case 'cbor':
        return this.#isOfType(type.target, item, bindings) && this.#isControlled(type, item, bindings)
      case 'name':
        return this.#isOfName(type, item, bindings)
      default:
        return unreachable(type)
    }
  }

  #isOfName({ name, parameters }: Type & { kind: 'name' }, item: CborItem, bindings: Bindings): boolean {
    const bound = bindings.get(name)
    if (bound !== undefined) return this.#isOfType(bound.type, item, bound.bindings)
    const ofPrelude = PRELUDE.get(name)
    if (ofPrelude !== undefined) return ofPrelude(item)
    const rule = this.#rules.get(name)
    if (rule === undefined || rule.body.kind === 'group') throw new Error(`${name} is no type`)
    return this.#isOfType(rule.body, item, bind(rule.parameters, parameters, bindings))
  }

  #isOfContent(content: Type | Group, item: CborItem, bindings: Bindings): boolean {
    if (content.kind === 'group') throw new Error('a group stands where a type is expected')
    return this.#isOfType(content, item, bindings)
  }

  #isControlled({ kind, controller }: Type & { kind: 'size' | 'cbor' }, item: CborItem, bindings: Bindings): boolean {
    if (item.kind !== 'bytes' && (item.kind !== 'text' || kind === 'cbor')) throw new Error(`.${kind} is of strings`)
    const bytes = item.kind === 'text' ? Buffer.from(item.value) : item.value
    if (kind === 'size') return this.#isOfType(controller, { kind: 'integer', value: BigInt(bytes.length) }, bindings)
    const inner = itemOrNull(bytes)
    return inner !== null && this.#isOfType(controller, inner, bindings)
  }

  /** Where the first choice ends that fits the items from `at` on, or -1. */
  #endOf(group: Group, items: readonly CborItem[], at: number, bindings: Bindings): number {
    for (const entries of group.choices) {
      let end = at
      for (const entry of entries) if (end >= 0) end = this.#endOfEntry(entry, items, end, bindings)
      if (end >= 0) return end
    }
    return -1
  }

  #endOfEntry({ min, max, content }: Entry, items: readonly CborItem[], at: number, bindings: Bindings): number {
    let end = at
    let count = 0
    while (count < max) {
      const next = this.#endOfOne(content, items, end, bindings)
      if (next < 0 || (next === end && count >= min)) break
      end = next
      count += 1
    }
    return count >= min ? end : -1
  }

  #endOfOne(content: Type | Group, items: readonly CborItem[], at: number, bindings: Bindings): number {
    if (content.kind === 'group') return this.#endOf(content, items, at, bindings)
    const rule = content.kind === 'name' && !bindings.has(content.name) ? this.#rules.get(content.name) : undefined
    if (content.kind === 'name' && rule?.body.kind === 'group')
      return this.#endOf(rule.body, items, at, bind(rule.parameters, content.parameters, bindings))
    const item = items[at]
    return item !== undefined && this.#isOfType(content, item, bindings) ? at + 1 : -1
  }

  #isOfMap({ choices }: Group, entries: readonly (readonly [CborItem, CborItem])[], bindings: Bindings): boolean {
    const [entry, ...more] = choices.flat()
    if (entry === undefined) return entries.length === 0
    if (more.length > 0 || entry.key === null) throw new Error('a map with several entries is not understood')
    const { key, content, min, max } = entry
    if (entries.length < min || entries.length > max) return false
    return entries.every(([name, value]) => {
      return this.#isOfType(key, name, bindings) && this.#isOfContent(content, value, bindings)
    })
  }
}

/** What the parameters of a rule stand for, and what the names in that stand for themselves. */
type Bindings = ReadonlyMap<string, { readonly type: Type; readonly bindings: Bindings }>

const NO_BINDINGS: Bindings = new Map()

function bind(parameters: readonly string[], types: readonly Type[], bindings: Bindings): Bindings {
  if (parameters.length !== types.length) throw new Error(`${parameters.length} parameters, and not ${types.length}`)
  if (types.length === 0) return NO_BINDINGS
  return new Map(parameters.map((name, index) => [name, boundTo(types[index] as Type, bindings)]))
}

/** What a parameter stands for that is handed on is what it stands for already. */
function boundTo(type: Type, bindings: Bindings): { readonly type: Type; readonly bindings: Bindings } {
  return (type.kind === 'name' ? bindings.get(type.name) : undefined) ?? { type, bindings }
}

/** What is used of appendix D. */
const PRELUDE: ReadonlyMap<string, (item: CborItem) => boolean> = new Map(
  Object.entries({
    uint: (item: CborItem) => item.kind === 'integer' && item.value >= 0n,
    int: (item: CborItem) => item.kind === 'integer',
    bstr: (item: CborItem) => item.kind === 'bytes',
    tstr: (item: CborItem) => item.kind === 'text',
    float: (item: CborItem) => item.kind === 'float',
    float64: (item: CborItem) => item.kind === 'float' && item.bits === 64,
    number: (item: CborItem) => item.kind === 'integer' || item.kind === 'float',
    bool: (item: CborItem) => item.kind === 'simple' && typeof item.value === 'boolean',
    true: (item: CborItem) => item.kind === 'simple' && item.value === true,
    null: (item: CborItem) => item.kind === 'simple' && item.value === null,
  }),
)

function isValue(value: bigint | string | Uint8Array, item: CborItem): boolean {
  if (typeof value === 'bigint') return item.kind === 'integer' && item.value === value
  if (typeof value === 'string') return item.kind === 'text' && item.value === value
  return item.kind === 'bytes' && Buffer.compare(item.value, value) === 0
}

function itemOrNull(bytes: Uint8Array): CborItem | null {
  try {
    return readCborItem(bytes)
  } catch {
    return null
  }
}

function namesIn(node: Type | Group): string[] {
  switch (node.kind) {
    case 'group':
      return node.choices
        .flat()
        .flatMap(({ key, content }) => [...(key === null ? [] : namesIn(key)), ...namesIn(content)])
    case 'choice':
      return node.types.flatMap(namesIn)
    case 'name':
      return [node.name, ...node.parameters.flatMap(namesIn)]
    case 'array':
    case 'map':
    case 'values':
      return namesIn(node.group)
    case 'size':
    case 'cbor':
      return [...namesIn(node.target), ...namesIn(node.controller)]
    case 'value':
    case 'range':
      return []
    default:
      return unreachable(node)
  }
}
