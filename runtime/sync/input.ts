import type { Epoch } from './epoch.ts'

/** What happens to a replica from outside, besides time and local operations. */
export type Input =
  | { readonly kind: 'link-up'; readonly link: string }
  | { readonly kind: 'link-down'; readonly link: string }
  /** Answers wait in the link for what is on its way: no more of them until it is writable. */
  | { readonly kind: 'link-congested'; readonly link: string }
  | { readonly kind: 'link-writable'; readonly link: string }
  | { readonly kind: 'frame'; readonly link: string; readonly bytes: Uint8Array }
  /** Everything up to this record is on the disk. */
  | { readonly kind: 'stored'; readonly through: number }
  /** The operator has made an epoch; it is taken in and passed on. */
  | { readonly kind: 'epoch'; readonly epoch: Epoch }
  /** A person has dealt with a conflict. */
  | { readonly kind: 'resolve'; readonly conflict: string }
  /** The journal has reached the size at which a snapshot is cheaper. */
  | { readonly kind: 'snapshot-due' }
