import { equalBytes } from '../../runtime/base/bytes.ts'
import { digestOf } from '../../runtime/base/digest.ts'
import type { MemberId, NodeId } from '../../runtime/base/ids.ts'
import { KEY_BYTES } from '../../runtime/base/limits.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { ReplicaOptions } from '../../runtime/sync/replica-options.ts'

/** The same fleet with keys: its messages are signed, and its drafts join by the word of the operator. */
export function withKeys(genesis: Genesis): Genesis {
  const founders = genesis.founders.map((one) => ({ ...one, key: keyOf(one.node) }))
  return { ...genesis, operator: keyOf('operator'), founders }
}

/** How a node of such a fleet signs, verifies and joins; nothing in a fleet without keys. Its key outlives its card. */
export function signingOf(genesis: Genesis, node: NodeId): Partial<ReplicaOptions> {
  if (genesis.operator === undefined) return {}
  const key = keyOf(node)
  return {
    key,
    signature: {
      sign: (bytes) => signatureBy(key, bytes),
      verify: (by, bytes, signature) => equalBytes(signature, signatureBy(by, bytes)),
    },
    prove: (member) => admissionOf(member, key),
    judgeJoin: ({ member, key: asked, proof }) =>
      equalBytes(proof, admissionOf(member, asked))
        ? { kind: 'admitted', token: null, credential: proof }
        : { kind: 'refused', reason: 'the operator has not let it in' },
    problemOfJoin: ({ member, key: of, credential }) =>
      credential !== undefined && equalBytes(credential, admissionOf(member, of))
        ? null
        : 'the operator has not let it in',
  }
}

function keyOf(name: string): Uint8Array {
  return new TextEncoder().encode(name.padEnd(KEY_BYTES, '.'))
}

function admissionOf(member: MemberId, key: Uint8Array): Uint8Array {
  return signatureBy(keyOf('operator'), new TextEncoder().encode(`${member} ${digestOf(key)}`))
}

/** Stands for Ed25519, which would take most of the time: nobody in the simulation signs for another one. */
function signatureBy(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return new TextEncoder().encode(digestOf(Buffer.concat([key, bytes])).repeat(4))
}
