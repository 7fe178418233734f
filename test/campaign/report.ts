import type { KindReport } from './kinds.ts'
import type { LoggedAlarm } from './logs.ts'
import type { AlarmCause } from './trouble.ts'

/** What a campaign did and what came of it: report.json, and what the page shows. */
export interface CampaignReport {
  readonly seed: number
  /** Of the sources that were tried, shortened, with a `+` if they had changes of their own; `unknown` outside of a repository. */
  readonly commit: string
  readonly minutes: number
  readonly perSecond: number
  readonly elapsedMs: number
  /** Changes that clients asked for, and what they were told. */
  readonly operations: number
  readonly durable: number
  readonly unknown: number
  /** Changes that went by the command line. */
  readonly typed: number
  /** By job: how many were asked for, told durable, refused at once, and stand at the end. */
  readonly jobs: Readonly<Record<string, JobReport>>
  /** Steps of the floor, on any gateway, after which the interlock was looked at. */
  readonly prefixes: number
  readonly rounds: readonly RoundReport[]
  /** What each kind of trouble did. */
  readonly kinds: readonly KindReport[]
  readonly traffic: TrafficReport
  /** Time of the processor, in all: of the gateways, and of what drives and watches them. */
  readonly cpu: { readonly gatewaysMs: number; readonly harnessMs: number }
  readonly samples: readonly Sample[]
  readonly alarms: readonly LoggedAlarm[]
  /** Changes that do not stand, of which not their own gateway has told but another one, since that was started anew or set back. */
  readonly toldByOthers: number
  /** Ends of daemons that nobody had asked for. */
  readonly falls: readonly string[]
  readonly broken: readonly string[]
}

export interface JobReport {
  asked: number
  durable: number
  refused: number
  standing: number
}

export interface TroubleReport {
  readonly kind: string
  readonly what: string
  /** Gateways, brokers and cables that it is about. */
  readonly claims: readonly string[]
  readonly fromMs: number
  readonly untilMs: number
  /** What shows that it has struck; null: it did nothing, and does not count as tried. */
  readonly struck: string | null
  /** The alarms that it explains, by whom and about whom. */
  readonly mayRaise: readonly AlarmCause[]
}

export interface RoundReport {
  readonly fromMs: number
  readonly troubles: readonly TroubleReport[]
  /** What must have been noticed of the troubles, and was not. */
  readonly unnoticed: readonly string[]
  /** When the last trouble was over, since the start. */
  readonly healedMs: number
  /** From then until all held the same operations in one order. */
  readonly convergedMs: number
  /** From then until all had settled alike. */
  readonly settledMs: number
  /** In the whole round, and what of it was sent since the heal. */
  readonly traffic: TrafficReport
  readonly bytesToConverge: number
  /** Raised in this round. */
  readonly alarms: readonly LoggedAlarm[]
  /** Changes of this round that were told durable as drafts, and operations that were told to have had to yield. */
  readonly drafted: number
  readonly conflicted: number
  /** Daemons that ended by themselves, and were started again. */
  readonly falls: number
}

export interface TrafficReport {
  /** What all gateways sent over the network, with all headers down to Ethernet. */
  readonly networkBytes: number
  /** What the cables delivered. */
  readonly serialBytes: number
  /** What the clients asked for, as they said it in JSON, once for each of the other gateways. */
  readonly neededBytes: number
}

export interface Sample {
  readonly atMs: number
  readonly gateway: string
  readonly isUp: boolean
  readonly isMember: boolean
  readonly stage: number
  readonly floor: number
  readonly journal: number
  readonly rssKib: number
  /** Since the start of its process. */
  readonly cpuMs: number
  readonly diskBytes: number
  /** Sent over the network since the start of the campaign. */
  readonly sentBytes: number
}
