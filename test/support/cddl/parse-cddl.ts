/**
 * Reads documents in CDDL (RFC 8610, appendix B), as far as that of the protocol needs them: rules with parameters, choices of
 * types and of groups, arrays, maps, occurrences, ranges, `&`, `.size` and `.cbor`. Whatever else there is in CDDL is refused.
 * The parser for JavaScript (npm `cddl`) takes no parameters and no control over a choice, and Debian has none.
 */
export type Cddl = ReadonlyMap<string, Rule>

export interface Rule {
  readonly parameters: readonly string[]
  readonly body: Type | Group
}

export type Type =
  | { readonly kind: 'choice'; readonly types: readonly Type[] }
  | { readonly kind: 'name'; readonly name: string; readonly parameters: readonly Type[] }
  | { readonly kind: 'value'; readonly value: bigint | string | Uint8Array }
  | { readonly kind: 'range'; readonly from: bigint; readonly to: bigint }
  | { readonly kind: 'array' | 'map' | 'values'; readonly group: Group }
  | { readonly kind: 'size' | 'cbor'; readonly target: Type; readonly controller: Type }

/** What stands between brackets: one of several lists of entries. */
export interface Group {
  readonly kind: 'group'
  readonly choices: readonly (readonly Entry[])[]
}

export interface Entry {
  readonly min: number
  readonly max: number
  /** What a map has as key: what names an entry of an array is for people. */
  readonly key: Type | null
  readonly content: Type | Group
}

/** @throws Error that names the line */
export function parseCddl(text: string): Cddl {
  return new Parser(tokensOf(text)).rules()
}

interface Token {
  readonly text: string
  readonly kind: 'name' | 'integer' | 'bytes' | 'text' | 'control' | 'mark' | 'end'
  readonly line: number
}

const TOKENS: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /(?:\s|;[^\n]*)+/y],
  ['bytes', /h'(?:[0-9a-f]{2})*'/y],
  ['text', /"[^"\\\n]*"/y],
  ['name', /[A-Za-z_](?:[-.]*[A-Za-z0-9_])*/y],
  ['integer', /-?(?:0|[1-9][0-9]*)(?![0-9a-zA-Z_])/y],
  ['control', /\.[a-z]+/y],
  ['mark', /\.\.(?!\.)|\/\/(?!=)|\/(?!=)|=>|[=<>()[\]{}:,?*+&]/y],
]

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  let line = 1
  while (at < text.length) {
    const found = TOKENS.map(([kind, pattern]) => ({ kind, part: partAt(pattern, text, at) })).find(
      ({ part }) => part !== '',
    )
    if (found === undefined) throw new Error(`line ${line}: ${text.slice(at, at + 20)} is not understood`)
    const { kind, part } = found
    if (kind !== 'space') tokens.push({ kind, text: part, line })
    line += part.split('\n').length - 1
    at += part.length
  }
  return [...tokens, { kind: 'end', text: 'the end', line }]
}

function partAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  rules(): Cddl {
    const rules = new Map<string, Rule>()
    while (this.#next.kind !== 'end') {
      const name = this.#take('name')
      if (rules.has(name)) throw this.#unexpected(`${name} is defined twice, not`)
      const parameters = this.#nextIs('<') ? this.#listOf('<', '>', () => this.#take('name')) : []
      this.#takeMark('=')
      rules.set(name, { parameters, body: this.#content() })
    }
    return rules
  }

  /** A type, or a group in parentheses where it can be no type. */
  #content(): Type | Group {
    if (!this.#nextIs('(')) return this.#type()
    const start = this.#at
    try {
      const type = this.#type()
      if (this.#isBehindEntry()) return type
    } catch (error) {
      if (!(error instanceof Error)) throw error
    }
    this.#at = start
    return this.#groupIn('(', ')')
  }

  #isBehindEntry(): boolean {
    const { kind, text } = this.#next
    return kind === 'name' || kind === 'end' || [',', '//', ')', ']', '}'].includes(text)
  }

  #groupIn(open: string, close: string): Group {
    this.#takeMark(open)
    const choices: Entry[][] = [[]]
    while (!this.#nextIs(close)) {
      if (this.#nextIs('//')) {
        this.#at += 1
        choices.push([])
        continue
      }
      choices.at(-1)?.push(this.#entry())
      if (this.#nextIs(',')) this.#at += 1
    }
    this.#takeMark(close)
    return { kind: 'group', choices }
  }

  #entry(): Entry {
    const occurs = this.#occurrence()
    const name = this.#next
    if (name.kind === 'name' && this.#tokens[this.#at + 1]?.text === ':') {
      this.#at += 2
      return { ...occurs, key: { kind: 'value', value: name.text }, content: this.#type() }
    }
    const content = this.#content()
    if (!this.#nextIs('=>') || content.kind === 'group') return { ...occurs, key: null, content }
    this.#at += 1
    return { ...occurs, key: content, content: this.#type() }
  }

  #occurrence(): { readonly min: number; readonly max: number } {
    const { kind, text } = this.#next
    if (text === '?' || text === '+') {
      this.#at += 1
      return { min: text === '?' ? 0 : 1, max: text === '?' ? 1 : Infinity }
    }
    const isCounted = kind === 'integer' && this.#tokens[this.#at + 1]?.text === '*'
    if (!isCounted && text !== '*') return { min: 1, max: 1 }
    const min = isCounted ? Number(this.#take('integer')) : 0
    this.#takeMark('*')
    return { min, max: this.#next.kind === 'integer' ? Number(this.#take('integer')) : Infinity }
  }

  #type(): Type {
    const types = [this.#oneType()]
    while (this.#nextIs('/')) {
      this.#at += 1
      types.push(this.#oneType())
    }
    return types.length === 1 ? (types[0] as Type) : { kind: 'choice', types }
  }

  /** `type1` of the grammar, which has one operator at most. */
  #oneType(): Type {
    const target = this.#plainType()
    if (this.#nextIs('..')) {
      this.#at += 1
      const to = this.#plainType()
      if (isInteger(target) && isInteger(to)) return { kind: 'range', from: target.value, to: to.value }
      throw this.#unexpected('a range is from integer to integer, before')
    }
    if (this.#next.kind !== 'control') return target
    const { text } = this.#next
    if (text !== '.size' && text !== '.cbor') throw this.#unexpected('no control is known')
    this.#at += 1
    return { kind: text === '.size' ? 'size' : 'cbor', target, controller: this.#plainType() }
  }

  /** `type2` of the grammar. */
  #plainType(): Type {
    const { kind, text } = this.#next
    switch (kind) {
      case 'integer':
        return { kind: 'value', value: BigInt(this.#take('integer')) }
      case 'bytes':
        return { kind: 'value', value: new Uint8Array(Buffer.from(this.#take('bytes').slice(2, -1), 'hex')) }
      case 'text':
        return { kind: 'value', value: this.#take('text').slice(1, -1) }
      case 'name': {
        const name = this.#take('name')
        const parameters = this.#nextIs('<') ? this.#listOf('<', '>', () => this.#oneType()) : []
        return { kind: 'name', name, parameters }
      }
      default:
        return this.#bracketed(text)
    }
  }

  #bracketed(text: string): Type {
    switch (text) {
      case '(': {
        this.#at += 1
        const type = this.#type()
        this.#takeMark(')')
        return type
      }
      case '[':
        return { kind: 'array', group: this.#groupIn('[', ']') }
      case '{':
        return { kind: 'map', group: this.#groupIn('{', '}') }
      case '&':
        this.#at += 1
        return { kind: 'values', group: this.#groupIn('(', ')') }
      default:
        throw this.#unexpected('a type is expected')
    }
  }

  #listOf<T>(open: string, close: string, item: () => T): T[] {
    this.#takeMark(open)
    const items = [item()]
    while (this.#nextIs(',')) {
      this.#at += 1
      items.push(item())
    }
    this.#takeMark(close)
    return items
  }

  get #next(): Token {
    return this.#tokens[this.#at] as Token
  }

  #nextIs(mark: string): boolean {
    return this.#next.kind === 'mark' && this.#next.text === mark
  }

  #take(kind: Token['kind']): string {
    if (this.#next.kind !== kind) throw this.#unexpected(`a ${kind} is expected`)
    this.#at += 1
    return (this.#tokens[this.#at - 1] as Token).text
  }

  #takeMark(mark: string): void {
    if (!this.#nextIs(mark)) throw this.#unexpected(`${mark} is expected`)
    this.#at += 1
  }

  #unexpected(what: string): Error {
    return new Error(`line ${this.#next.line}: ${what}: ${this.#next.text}`)
  }
}

function isInteger(type: Type): type is { readonly kind: 'value'; readonly value: bigint } {
  return type.kind === 'value' && typeof type.value === 'bigint'
}
