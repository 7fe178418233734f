import type { NodeId } from '../../runtime/base/ids.ts'
import type { LinkEvents } from '../../runtime/links/link.ts'

/** Keeps what a link told, in order. */
export class Witness implements LinkEvents {
  readonly told: string[] = []
  readonly causes: string[] = []
  readonly frames: Uint8Array[] = []
  ups = 0
  writables = 0

  up(): void {
    this.ups += 1
    this.told.push('up')
  }

  down(cause: string): void {
    this.causes.push(cause)
    this.told.push('down')
  }

  frame(bytes: Uint8Array): void {
    this.frames.push(bytes)
  }

  presence(node: NodeId, online: boolean): void {
    this.told.push(`${node} ${online ? 'online' : 'offline'}`)
  }

  writable(): void {
    this.writables += 1
    this.told.push('writable')
  }
}

/** The last presence of `node` that `witness` was told. */
export function lastPresence(witness: Witness, node: NodeId): string | undefined {
  return witness.told.findLast((line) => line.startsWith(node))?.slice(node.length + 1)
}
