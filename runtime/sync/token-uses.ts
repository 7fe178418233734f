import type { Digest } from '../base/digest.ts'
import type { Membership } from './membership.ts'
import type { Alarm } from './output.ts'

/**
 * Tokens with which more member ids have joined than they are for. A sponsor counts what it holds, so each side of a split may let
 * in as many as are left; all of them stand, and whoever holds all of them tells people.
 */
export class TokenUses {
  readonly #usesOf: (credential: Uint8Array) => number | null
  #membership: Membership | null = null
  #revision = 0

  /** @param usesOf the member ids that may join with the token in a credential, or null if there is none in it */
  constructor(usesOf: (credential: Uint8Array) => number | null) {
    this.#usesOf = usesOf
  }

  /** Looks only if the members are others than at the last call. */
  overused(membership: Membership): readonly (Alarm & { readonly name: 'token-overused' })[] {
    if (this.#membership === membership && this.#revision === membership.revision) return NONE
    this.#membership = membership
    this.#revision = membership.revision
    const joined = new Map<Digest, { used: number; readonly uses: number }>()
    for (const { token, credential } of membership.list()) {
      if (token === null || credential.length === 0) continue
      const known = joined.get(token)
      if (known === undefined) joined.set(token, { used: 1, uses: this.#usesOf(credential) ?? Infinity })
      else known.used += 1
    }
    return [...joined].flatMap(([token, { used, uses }]) =>
      used > uses ? [{ name: 'token-overused', token, used, uses }] : [],
    )
  }
}

const NONE: readonly never[] = []
