/**
 * Where a node id may come from, best first. The name is part of what is hashed: never rename one.
 * Always one source, never a mix, so that a changed part changes the id only if it was the one used.
 */
export const IDENTITY_SOURCES = [
  'operator-override',
  'device-tree-serial',
  'cpuinfo-serial',
  'soc-serial',
  'network-address',
  'dmi-product-uuid',
  'tpm-endorsement-key',
  'machine-id',
  'random',
] as const

export type IdentitySource = (typeof IDENTITY_SOURCES)[number]

/** What one source said. `where` is a path or an option, for people. */
export type Finding =
  /** `values` are normal (trimmed, lower case), the first one is to be used; only network addresses may be several. */
  | { readonly kind: 'found'; readonly values: readonly [string, ...string[]]; readonly where: string }
  | { readonly kind: 'absent'; readonly reason: string }
  /** There is a value, but one that many machines share. */
  | { readonly kind: 'denied'; readonly reason: string }
  /** There may be a value; this process could not read it. */
  | { readonly kind: 'unreadable'; readonly reason: string }

export interface Candidate {
  readonly source: IdentitySource
  readonly finding: Finding
}

/** What this machine says about itself. */
export interface HardwareReport {
  /** How it is known that this is a container, or null outside of one. */
  readonly container: string | null
  /** One for each of {@link IDENTITY_SOURCES}, in that order. */
  readonly candidates: readonly Candidate[]
}

/** True for the sources that live on the card and are copied with it, so that no clone is ever noticed by them. */
export function isCopiedWithCard(source: IdentitySource): boolean {
  return source === 'machine-id' || source === 'random'
}
