import type { DropCounter } from './drop-counter.ts'
import type { History } from './history.ts'
import type { ChunkRequest, Request, Turn } from './message.ts'
import type { Signatures } from './signatures.ts'
import { Turns } from './turns.ts'

/** Requests of this node as they are sent, and those of others before they are answered: in a fleet with keys each has its turn. */
export class Requests {
  readonly #start: number
  readonly #signatures: Signatures
  readonly #dropped: DropCounter
  readonly #turns = new Turns()
  #made = 0

  /** @param start how often this node has started */
  constructor(start: number, signatures: Signatures, dropped: DropCounter) {
    this.#start = start
    this.#signatures = signatures
    this.#dropped = dropped
  }

  /** A request of our own as it is sent. */
  sign(request: Request): Request {
    return this.#signatures.signRequest(request, () => this.#nextTurn())
  }

  /** The same of a request for a chunk. */
  signChunk(request: ChunkRequest): ChunkRequest {
    return this.#signatures.signChunkRequest(request, () => this.#nextTurn())
  }

  /** Whether a request is from whom it says and was not answered before; counts it if not. */
  isGood(
    request: Request | ChunkRequest,
    what: 'request' | 'chunk request',
    { history, link }: { readonly history: History; readonly link: string },
  ): boolean {
    const problem = this.#signatures.problemOfRequest(request, what, history)
    const isNew = problem === null && (request.turn === undefined || this.#turns.note(request.from, link, request.turn))
    if (problem === 'unknown') this.#dropped.add(`${what} of a node that is no member`)
    else if (problem !== null) this.#dropped.add(problem)
    else if (!isNew) this.#dropped.add(`${what} that was answered before`)
    return isNew
  }

  #nextTurn(): Turn {
    this.#made += 1
    return { start: this.#start, number: this.#made }
  }
}
