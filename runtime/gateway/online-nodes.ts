import type { NodeId } from '../base/ids.ts'

/** Who is there, as each link told: a hint for people. What a link that is down has told is void. */
export class OnlineNodes {
  readonly #byLink = new Map<string, Set<NodeId>>()

  note(node: NodeId, isOnline: boolean, link: string): void {
    const nodes = this.#byLink.get(link) ?? new Set()
    this.#byLink.set(link, nodes)
    if (isOnline) nodes.add(node)
    else nodes.delete(node)
  }

  forget(link: string): void {
    this.#byLink.delete(link)
  }

  list(): readonly NodeId[] {
    return [...new Set([...this.#byLink.values()].flatMap((nodes) => [...nodes]))]
  }
}
