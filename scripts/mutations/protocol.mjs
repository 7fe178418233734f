/**
 * Each rule of the protocol, switched off by replacing a text that occurs once.
 * @type {readonly import('../mutations.mjs').Mutation[]}
 */
export const MUTATIONS = [
  {
    name: 'seen: what the write replaces',
    file: 'runtime/state/executor.ts',
    from: 'standing.stage <= operation.floor || sameOperationId(standing.id, write.replaces)',
    to: 'standing.stage <= operation.floor',
  },
  {
    name: 'seen: what was settled for the issuer',
    file: 'runtime/state/executor.ts',
    from: 'standing.stage <= operation.floor || sameOperationId(standing.id, write.replaces)',
    to: 'sameOperationId(standing.id, write.replaces)',
  },
  {
    name: 'seen: an earlier one of the same member',
    file: 'runtime/state/executor.ts',
    from: 'if (standing.id.member === operation.id.member) return standing.id.seq <= operation.id.seq',
    to: '',
  },
  {
    name: 'an unseen write of higher priority stands',
    file: 'runtime/state/executor.ts',
    from: 'comparePriority(standing.priority, operation.priority) > 0',
    to: 'false',
  },
  {
    name: 'an operation is atomic',
    file: 'runtime/state/executor.ts',
    from: "return { outcome: 'superseded', after: before, clashes: [step.clash], reason: null }",
    to: "return { outcome: 'superseded', after: scratch, clashes: [step.clash], reason: null }",
  },
  {
    name: 'canonical order: tier',
    file: 'runtime/state/operation.ts',
    from: 'return right.priority.tier - left.priority.tier',
    to: 'return left.priority.tier - right.priority.tier',
  },
  {
    name: 'canonical order: node id',
    file: 'runtime/state/operation.ts',
    from: 'return left.priority.node > right.priority.node ? -1 : 1',
    to: 'return left.priority.node > right.priority.node ? 1 : -1',
  },
  {
    name: 'undo: what follows a new entry looks again',
    file: 'runtime/sync/local-state.ts',
    from: 'previous !== null && sameCell(previous.after[index] as Cell,',
    to: 'sameCell((previous?.after ?? met)[index] as Cell,',
  },
  {
    name: 'undo: a clash whose values differ is another one',
    file: 'runtime/sync/local-state.ts',
    from: 'equalValues(left.loserValue, right.loserValue)',
    to: 'true',
  },
  {
    name: 'ready: the seq before is held',
    file: 'runtime/sync/consistency.ts',
    from: "if (first.id.seq > seq + 1) return { kind: 'wait', missing: { member: batch.origin, seq: first.id.seq - 1 } }",
    to: '',
  },
  {
    name: 'ready: the chain link',
    file: 'runtime/sync/consistency.ts',
    from: ' || batch.link !== log.held.digest',
    to: '',
  },
  {
    name: 'ready: previous is held',
    file: 'runtime/sync/consistency.ts',
    from: "if (previous.id.seq > log.held.seq) return { kind: 'wait', missing: previous.id }",
    to: '',
  },
  {
    name: 'late: an operation at or below the floor is refused',
    file: 'runtime/sync/consistency.ts',
    from: "if (first.stage <= holdings.journal.floor) return { kind: 'late' }",
    to: '',
  },
  {
    name: 'floor: every participant has been heard',
    file: 'runtime/sync/floor.ts',
    from: 'peer === undefined ? NOT_HEARD :',
    to: 'peer === undefined ? { stage: storedStage, reason: NOT_HEARD.reason } :',
  },
  {
    name: 'floor: we hold what a participant has issued',
    file: 'runtime/sync/floor.ts',
    from: 'log.held.seq < announcement.ownSeq || ',
    to: '',
  },
  {
    name: 'floor: a participant covers what we hold',
    file: 'runtime/sync/floor.ts',
    from: 'uncovered !== null && uncovered <= announcement.stage',
    to: 'false',
  },
  {
    name: 'floor: its stage',
    file: 'runtime/sync/floor.ts',
    from: "return { stage: announcement.stage, reason: 'its stage' }",
    to: "return { stage: Number.MAX_SAFE_INTEGER, reason: 'its stage' }",
  },
  {
    name: 'tombstone: all have announced a floor above it',
    file: 'runtime/sync/floor.ts',
    from: 'stage = Math.min(stage, peers.get(id)?.announcement.floor ?? 0)',
    to: '{}',
  },
  {
    name: 'sync before send',
    file: 'runtime/sync/replica-core.ts',
    from: 'return this.storeBatch(batch)\n    })',
    to: "return [...this.storeBatch(batch), this.send({ kind: 'batch', batch }, 'operations', 'all')]\n    })",
  },
  {
    name: 'hear before you speak',
    file: 'runtime/sync/replica-core.ts',
    from: 'return this.hasHeard || !this.#hasSettledPeers()',
    to: 'return true',
  },
  {
    name: 'announced stage: below what of our own is still to come',
    file: 'runtime/sync/own-statement.ts',
    from: 'return coming === null ? writer.stage : Math.min(writer.stage, coming.stage - 1)',
    to: 'return writer.stage',
  },
  {
    name: 'announced floor: not above that of what is still to come',
    file: 'runtime/sync/own-statement.ts',
    from: 'coming === null || writer.floor.stage <= coming.floor',
    to: 'coming === null || coming !== undefined',
  },
  {
    name: 'announced floor: survives a restart',
    file: 'runtime/sync/recovery.ts',
    from: 'if (record.floor > history.floor) history.fold(record.floor)',
    to: '',
  },
  {
    name: 'announced vector: only what is stored',
    file: 'runtime/sync/history.ts',
    from: 'return versionVector([...this.#logs.values()].map((log) => log.stored))',
    to: 'return versionVector([...this.#logs.values()].map((log) => log.held))',
  },
  {
    name: 'snapshot: its high-water mark is of what is sealed',
    file: 'runtime/sync/history.ts',
    from: 'if (unsealedFollow === null) return this.#highWater',
    to: 'if (unsealedFollow !== undefined) return this.#highWater',
  },
  {
    name: 'conflicts: all old ones go before any new one comes',
    file: 'runtime/sync/conflict.ts',
    from: 'for (const conflict of came) this.#conflicts.set(conflict.id, conflict)',
    to: 'for (const [entry, previous] of executed) { for (const clash of previous?.clashes ?? []) this.#conflicts.delete(idOf(clash)); for (const clash of entry.execution?.clashes ?? []) this.#conflicts.set(idOf(clash), conflictOf(clash)) }',
  },
]
