import { decodeCbor, encodeCbor } from '../base/cbor.ts'
import { type Digest, digestOf } from '../base/digest.ts'
import { type MemberId, memberIdToBytes } from '../base/ids.ts'
import { FRAME_DEPTH_MAX, MEMBERS_MAX, OPERATIONS_PER_BATCH_MAX } from '../base/limits.ts'
import { digestBytes, digestFrom, invalid, listOf, memberFrom, tupleOf } from './codec-fields.ts'
import type { Batch, SyncMessage } from './message.ts'
import { decodeSyncMessage, encodeSyncMessage, MemberTable } from './operation-codec.ts'

/** batch = [members, link, messages], see `sync.cddl`. @param messages of one origin, without gaps, not empty */
export function sealBatch(origin: MemberId, link: Digest, messages: readonly SyncMessage[]): Batch {
  const table = new MemberTable([origin])
  const encoded = messages.map((message) => encodeSyncMessage(message, table))
  const payload = encodeCbor([table.members.map(memberIdToBytes), digestBytes(link), encoded])
  return { origin, link, digest: digestOf(payload), messages, payload }
}

/** Checks the whole batch before anything is returned. @throws FleetstepError `message-invalid` */
export function openBatch(payload: Uint8Array): Batch {
  const [members, link, encoded] = tupleOf(decodeCbor(payload, FRAME_DEPTH_MAX), 'batch', 3)
  const ids = listOf(members, 'members', MEMBERS_MAX).map((member) => memberFrom(member, 'member'))
  const [origin] = ids
  if (origin === undefined) throw invalid('members', 'are none')
  const table = new MemberTable(ids)
  const messages = listOf(encoded, 'messages', OPERATIONS_PER_BATCH_MAX).map((data) => decodeSyncMessage(data, table))
  checkSequence(origin, messages)
  return { origin, link: digestFrom(link, 'link'), digest: digestOf(payload), messages, payload }
}

function checkSequence(origin: MemberId, messages: readonly SyncMessage[]): void {
  const [first] = messages
  if (first === undefined) throw invalid('messages', 'are none')
  let stage = 0
  for (const [index, { current }] of messages.entries()) {
    if (current.id.member !== origin) throw invalid('operation id', 'is not of the origin of its batch')
    if (current.id.seq !== first.current.id.seq + index) throw invalid('seq', 'does not follow the one before')
    if (current.priority.tier !== first.current.priority.tier) throw invalid('priority', 'changes within a batch')
    if (current.stage <= stage) throw invalid('stage', 'does not grow within a batch')
    stage = current.stage
  }
}
