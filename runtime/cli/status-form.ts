import type { GatewayStatus } from '../gateway/inspection.ts'
import { type Form, isNumber, isText, isTruth, listOf, mapOf, oneOf, orNull, recordOf } from './answer-form.ts'
import { isLink, isLinkStatus } from './link-text.ts'
import { isEnforcement } from './profile-text.ts'
import { HOLD_REASONS, REASONS } from './status-text.ts'

type Line<Of extends readonly unknown[]> = Of[number]

const isWaiting = recordOf<Line<GatewayStatus['waitingList']>>({
  operations: listOf(isText),
  reason: oneOf(Object.keys(REASONS)),
  waitsFor: isText,
  behind: orNull(isText),
})

const isUndo = recordOf<NonNullable<GatewayStatus['lastUndo']>>({
  reason: isText,
  by: listOf(isText),
  byCount: isNumber,
  undone: listOf(
    recordOf<Line<NonNullable<GatewayStatus['lastUndo']>['undone']>>({ operation: isText, points: listOf(isText) }),
  ),
  undoneCount: isNumber,
  togetherCount: isNumber,
})

const isMember = recordOf<Line<GatewayStatus['members']>>({
  member: isText,
  tier: isNumber,
  role: isText,
  token: orNull(isText),
  cut: orNull(isNumber),
  isSelf: isTruth,
  isRetired: isTruth,
  heardAgoMs: orNull(isNumber),
  stage: orNull(isNumber),
  floor: orNull(isNumber),
  heldSeq: isNumber,
})

const isCandidate = recordOf<Line<GatewayStatus['candidates']>>({
  member: isText,
  tier: isNumber,
  role: isText,
  refusal: orNull(isText),
})

const isEpoch = recordOf<GatewayStatus['epoch']>({
  number: isNumber,
  announced: isNumber,
  counting: listOf(isText),
  retired: listOf(isText),
  knowsCuts: isTruth,
  isForced: isTruth,
  revoked: listOf(isText),
  admitted: listOf(isText),
  waitsFor: listOf(isText),
})

const isStorage = recordOf<GatewayStatus['storage']>({
  space: isText,
  freeBytes: isNumber,
  diskBytes: isNumber,
  pendingOperations: isNumber,
  bytesWritten: isNumber,
  commits: isNumber,
  lifetime: orNull(recordOf<NonNullable<GatewayStatus['storage']['lifetime']>>({ bytes: isNumber })),
  bytesPerDay: orNull(isNumber),
  cardLifeYears: orNull(isNumber),
})

/** Of the answer to `status`, what the commands read. */
export const isStatus: Form<GatewayStatus> = recordOf<GatewayStatus>({
  device: isText,
  pid: isNumber,
  node: isText,
  fleet: isText,
  status: isText,
  draftReason: orNull(isText),
  refusal: orNull(isText),
  last: recordOf<GatewayStatus['last']>({ operation: orNull(isText), stage: isNumber }),
  floor: isNumber,
  floorHold: orNull(
    recordOf<NonNullable<GatewayStatus['floorHold']>>({ member: isText, reason: oneOf(Object.keys(HOLD_REASONS)) }),
  ),
  journalLength: isNumber,
  outboxLength: isNumber,
  waitingList: listOf(isWaiting),
  deferredQueue: listOf(isWaiting),
  lastUndo: orNull(isUndo),
  reexecutions: isNumber,
  paths: isNumber,
  conflicts: isNumber,
  conflictsForgotten: isNumber,
  telemetry: recordOf<GatewayStatus['telemetry']>({ own: isNumber, others: isNumber, stale: isNumber }),
  storage: isStorage,
  storageProblem: orNull(isText),
  profile: orNull(
    recordOf<NonNullable<GatewayStatus['profile']>>({
      name: isText,
      hash: isText,
      problem: orNull(isText),
      fleet: isEnforcement,
    }),
  ),
  profileOffers: isNumber,
  mirror: orNull(isLinkStatus),
  members: listOf(isMember),
  candidates: listOf(isCandidate),
  epoch: isEpoch,
  online: listOf(isText),
  links: listOf(isLink),
  dropped: mapOf(isNumber),
  alarms: listOf(recordOf<Line<GatewayStatus['alarms']>>({ name: isText, message: isText })),
})
