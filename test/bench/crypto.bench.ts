import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { createSigningKey, verifySignature } from '../../runtime/device/identity/keys.ts'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { Genesis } from '../../runtime/sync/membership.ts'
import type { Batch } from '../../runtime/sync/message.ts'
import { encodeFrame } from '../../runtime/sync/message-codec.ts'
import { Signatures } from '../../runtime/sync/signatures.ts'
import { HandIssuer } from '../support/handmade.ts'
import { sealBatch } from '../../runtime/sync/batch-codec.ts'
import { DrivenReplica } from '../support/driven-replica.ts'

interface Row extends Record<string, string | number | boolean> {
  readonly batch: string
  readonly unsignedPerS: number
  readonly signedPerS: number
  readonly ratioSignedToUnsigned: number
  readonly signUs: number
  readonly verifyUs: number
  readonly addedBytesPerOperation: number
  readonly bytesPerOperation: number
}

const A = '0a00000000000001' as NodeId
const B = '0b00000000000001' as NodeId
const RUNS = 3

/** What signatures of origin cost a gateway that receives: operations of another member, by operations in a batch. */
export async function run({ smoke }: { readonly smoke: boolean }): Promise<{ rows: Row[] }> {
  const [keyA, keyB, operator] = [createSigningKey(), createSigningKey(), createSigningKey()]
  const schemeA = { sign: keyA.sign, verify: verifySignature }
  const plain: Genesis = { name: 'bench', founders: [A, B].map((node) => ({ node, tier: 0 })) }
  const keyed: Genesis = {
    name: 'bench',
    operator: operator.publicKey,
    founders: [
      { node: A, tier: 0, key: keyA.publicKey },
      { node: B, tier: 0, key: keyB.publicKey },
    ],
  }
  const operations = smoke ? 200 : 4000
  const rows: Row[] = []
  for (const size of [1, 10, 100]) {
    const unsigned = batchesOf(operations, size)
    const fleet = new DrivenReplica(plain, 0).replica.fleet
    const keys = { key: keyA.publicKey, signature: schemeA }
    const signedFleet = new DrivenReplica(keyed, 0, undefined, undefined, keys).replica.fleet
    const signer = new Signatures(signedFleet, { sign: keyB.sign, verify: verifySignature })
    const [signMs, signed] = timed(() => unsigned.map((batch) => signer.sign(batch)))
    const verifier = new Signatures(signedFleet, schemeA)
    const [verifyMs] = timed(() => signed.map((batch) => verifier.verify(batch, keyB.publicKey)))
    const plainMs = median(() => {
      const replica = new DrivenReplica(plain, 0)
      return receive(
        replica,
        unsigned.map((batch) => encodeFrame(fleet, { kind: 'batch', batch })),
        operations,
      )
    })
    const signedMs = median(() => {
      const replica = new DrivenReplica(keyed, 0, undefined, undefined, keys)
      return receive(
        replica,
        signed.map((batch) => encodeFrame(signedFleet, { kind: 'batch', batch })),
        operations,
      )
    })
    const bytes = (batches: readonly Batch[]): number => batches.reduce((sum, { payload }) => sum + payload.length, 0)
    rows.push({
      batch: `${size} operations`,
      unsignedPerS: Math.round((operations / plainMs) * 1000),
      signedPerS: Math.round((operations / signedMs) * 1000),
      ratioSignedToUnsigned: round(plainMs / signedMs),
      signUs: Math.round((signMs / signed.length) * 1000),
      verifyUs: Math.round((verifyMs / signed.length) * 1000),
      addedBytesPerOperation: round((bytes(signed) - bytes(unsigned)) / operations),
      bytesPerOperation: round(bytes(signed) / operations),
    })
  }
  return { rows }
}

/** B sets one of a hundred points after another. */
function batchesOf(operations: number, size: number): Batch[] {
  const issuer = new HandIssuer(memberIdOf(B, 0), 0)
  let after
  for (let index = 0; index < operations; index++)
    after = issuer.issue({ set: [`line1/pump${index % 100}/speed`, index], ...(after === undefined ? {} : { after }) })
  const messages = issuer.batches.flatMap((batch) => batch.messages)
  const batches: Batch[] = []
  for (let at = 0; at < messages.length; at += size) {
    const link = batches.at(-1)?.digest ?? EMPTY_DIGEST
    batches.push(sealBatch(issuer.member, link, messages.slice(at, at + size)))
  }
  return batches
}

function receive(replica: DrivenReplica, frames: readonly Uint8Array[], operations: number): number {
  const [ms] = timed(() => {
    for (const bytes of frames) replica.giveFrame(bytes)
  })
  const held = replica.inspect().vector.length + replica.inspect().journalLength
  if (held < operations) throw new Error(`only ${held} of ${operations} operations are held`)
  return ms
}

function median(measure: () => number): number {
  const figures = Array.from({ length: RUNS }, measure).sort((left, right) => left - right)
  return figures[RUNS >>> 1] ?? 0
}

function timed<T>(work: () => T): [ms: number, result: T] {
  const started = performance.now()
  const result = work()
  return [performance.now() - started, result]
}

function round(figure: number): number {
  return Math.round(figure * 100) / 100
}
