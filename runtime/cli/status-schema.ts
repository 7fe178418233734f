import * as v from 'valibot'
import type { GatewayStatus } from '../gateway/inspection.ts'
import { type Form, recordOf } from './answer-form.ts'
import { linkSchema, linkStatusSchema } from './link-text.ts'
import { enforcementSchema } from './profile-text.ts'
import { HOLD_REASONS, REASONS } from './status-text.ts'

type Line<Of extends readonly unknown[]> = Of[number]

const waitingSchema = recordOf<Line<GatewayStatus['waitingList']>>({
  operations: v.array(v.string()),
  reason: v.picklist(Object.keys(REASONS)),
  waitsFor: v.string(),
  behind: v.nullable(v.string()),
})

const undoSchema = recordOf<NonNullable<GatewayStatus['lastUndo']>>({
  reason: v.string(),
  by: v.array(v.string()),
  byCount: v.number(),
  undone: v.array(
    recordOf<Line<NonNullable<GatewayStatus['lastUndo']>['undone']>>({
      operation: v.string(),
      points: v.array(v.string()),
    }),
  ),
  undoneCount: v.number(),
  togetherCount: v.number(),
})

const memberSchema = recordOf<Line<GatewayStatus['members']>>({
  member: v.string(),
  tier: v.number(),
  role: v.string(),
  token: v.nullable(v.string()),
  cut: v.nullable(v.number()),
  isSelf: v.boolean(),
  isRetired: v.boolean(),
  heardAgoMs: v.nullable(v.number()),
  stage: v.nullable(v.number()),
  floor: v.nullable(v.number()),
  heldSeq: v.number(),
})

const candidateSchema = recordOf<Line<GatewayStatus['candidates']>>({
  member: v.string(),
  tier: v.number(),
  role: v.string(),
  refusal: v.nullable(v.string()),
})

const epochSchema = recordOf<GatewayStatus['epoch']>({
  number: v.number(),
  announced: v.number(),
  counting: v.array(v.string()),
  retired: v.array(v.string()),
  knowsCuts: v.boolean(),
  isForced: v.boolean(),
  revoked: v.array(v.string()),
  admitted: v.array(v.string()),
  waitsFor: v.array(v.string()),
})

const storageSchema = recordOf<GatewayStatus['storage']>({
  space: v.string(),
  freeBytes: v.number(),
  diskBytes: v.number(),
  pendingOperations: v.number(),
  bytesWritten: v.number(),
  commits: v.number(),
  lifetime: v.nullable(recordOf<NonNullable<GatewayStatus['storage']['lifetime']>>({ bytes: v.number() })),
  bytesPerDay: v.nullable(v.number()),
  cardLifeYears: v.nullable(v.number()),
})

/** Of the answer to `status`, what the commands read. */
export const statusSchema: Form<GatewayStatus> = recordOf<GatewayStatus>({
  device: v.string(),
  pid: v.number(),
  node: v.string(),
  fleet: v.string(),
  status: v.string(),
  draftReason: v.nullable(v.string()),
  refusal: v.nullable(v.string()),
  last: recordOf<GatewayStatus['last']>({ operation: v.nullable(v.string()), stage: v.number() }),
  floor: v.number(),
  floorHold: v.nullable(
    recordOf<NonNullable<GatewayStatus['floorHold']>>({
      member: v.string(),
      reason: v.picklist(Object.keys(HOLD_REASONS)),
    }),
  ),
  journalLength: v.number(),
  outboxLength: v.number(),
  waitingList: v.array(waitingSchema),
  deferredQueue: v.array(waitingSchema),
  lastUndo: v.nullable(undoSchema),
  reexecutions: v.number(),
  paths: v.number(),
  conflicts: v.number(),
  conflictsForgotten: v.number(),
  telemetry: recordOf<GatewayStatus['telemetry']>({ own: v.number(), others: v.number(), stale: v.number() }),
  storage: storageSchema,
  storageProblem: v.nullable(v.string()),
  profile: v.nullable(
    recordOf<NonNullable<GatewayStatus['profile']>>({
      name: v.string(),
      hash: v.string(),
      problem: v.nullable(v.string()),
      fleet: enforcementSchema,
    }),
  ),
  profileOffers: v.number(),
  mirror: v.nullable(linkStatusSchema),
  members: v.array(memberSchema),
  candidates: v.array(candidateSchema),
  epoch: epochSchema,
  online: v.array(v.string()),
  links: v.array(linkSchema),
  dropped: v.record(v.string(), v.number()),
  alarms: v.array(recordOf<Line<GatewayStatus['alarms']>>({ name: v.string(), message: v.string() })),
})
