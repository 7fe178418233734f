/** What a campaign did and what came of it: report.json, and what the page shows. */
export interface CampaignReport {
  readonly seed: number
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
  readonly traffic: TrafficReport
  /** Time of the processor, in all: of the gateways, and of what drives and watches them. */
  readonly cpu: { readonly gatewaysMs: number; readonly harnessMs: number }
  readonly samples: readonly Sample[]
  readonly alarms: readonly { readonly gateway: string; readonly name: string; readonly message: string }[]
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
