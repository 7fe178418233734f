import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { INSTRUMENTED } from './device-profile.ts'
import { guardCauses } from './guard-causes.ts'
import { kindsOf } from './kinds.ts'
import { alarmsIn } from './logs.ts'
import type { CampaignReport, RoundReport, TroubleReport } from './report.ts'
import { longTrouble } from './run-campaign.ts'
import { strangeTime } from './signs.ts'
import { summaryOf } from './summary.ts'
import { TROUBLES } from './troubles.ts'

describe('what kinds of trouble did', () => {
  const rounds = [
    round(1000, [trouble('kill', 'process 1 was killed')]),
    round(3000, [trouble('kill', 'process 2 was killed'), trouble('disk full', 'a said: full')]),
    round(9000, [trouble('kill', null), trouble('disk full', 'b said: full')]),
  ]

  it('is counted alone and together, and what struck nothing is counted apart', () => {
    const [full, kill] = kindsOf(rounds)
    assert.deepEqual(
      [kill?.kind, kill?.alone, kill?.together, kill?.struckNothing, kill?.convergedMs],
      ['kill', 1, 1, 1, { median: 1000, worst: 3000 }],
    )
    assert.deepEqual([full?.alone, full?.together, full?.convergedMs], [1, 1, { median: 3000, worst: 9000 }])
  })

  it('has the alarms that it explains, and no others', () => {
    const about = 'a'.repeat(16)
    const restored = {
      ...trouble('restored backup', '2 changes'),
      mayRaise: [{ name: 'regressed', by: ['x'], about: null }],
    }
    const alarms = [
      { gateway: 'x', name: 'regressed', about: null, message: '' },
      { gateway: 'y', name: 'late-operation', about, message: '' },
    ]
    const met = [{ ...round(1, [restored, trouble('kill', 'sign')]), alarms }]
    assert.deepEqual(
      kindsOf(met).map(({ kind, alarms: count }) => [kind, count]),
      [
        ['kill', 0],
        ['restored backup', 1],
      ],
    )
  })

  it('counts what the guard of outputs said among them, for whoever killed its gateway', () => {
    const outputs = { ...trouble('outputs', 'process 1 went'), mayRaise: guardCauses(INSTRUMENTED) }
    const alarms = alarmsIn(INSTRUMENTED, 'fleetstep: the gateway is gone: at their safe values are valve\n')
    const [kind] = kindsOf([{ ...round(1, [outputs]), alarms }])
    assert.deepEqual([kind?.kind, kind?.alone, kind?.alarms], ['outputs', 1, 1])
    assert.ok('outputs' in TROUBLES, 'it is a kind that is drawn')
    assert.match(summaryOf([campaign(1, [{ ...round(1, [outputs]), alarms }])]), /^outputs +1 +0 +0 /m)
  })

  it('is summed over several campaigns in one table', () => {
    const text = summaryOf([campaign(1, rounds.slice(0, 2)), campaign(2, rounds.slice(2), ['a is gone'])])
    for (const line of [
      /^campaigns +2, 10 minutes$/m,
      /^seeds +1 2$/m,
      /^troubles +4 struck, 1 struck nothing$/m,
      /^told durable +18$/m,
      /^promises broken +1$/m,
      /^sent against needed +4\.0 against 2\.0 MiB: 2\.0 times$/m,
      /^memory at the end +64 MiB median, 64 worst, of one gateway$/m,
      /^kill +1 +1 +1 /m,
      /^disk full +1 +1 +0 /m,
      /^seed 2: BROKEN: a is gone$/m,
    ])
      assert.match(text, line)
  })
})

describe('a sign', () => {
  it('of a strange clock is a line with a time that is off by more than a day', () => {
    const now = Date.parse('2026-11-22T12:00:00Z')
    const log = (time: string): string => `{"level":30,"time":"${time}","msg":"m"}\n{"level":30,"ti`
    assert.equal(strangeTime('a', log('2026-11-22T11:59:00.000Z'), now), null)
    assert.match(strangeTime('a', log('1970-10-01T11:59:00.000Z'), now) ?? '', /a logged at 1970/)
    assert.match(strangeTime('a', log('2026-11-29T11:59:00.000Z'), now) ?? '', /a logged at 2026-11-29/)
  })
})

describe('a gateway that stands still', () => {
  it('does so for 20 s to 3 minutes where there is time, and shorter in a short campaign or at its end', () => {
    assert.deepEqual(longTrouble(10, 60_000), { leastMs: 20_000, mostMs: 180_000 })
    assert.deepEqual(longTrouble(10, 500_000), { leastMs: 20_000, mostMs: 70_000 })
    assert.deepEqual(longTrouble(5, 60_000), { leastMs: 20_000, mostMs: 30_000 })
    assert.deepEqual(longTrouble(10, 600_000), { leastMs: 20_000, mostMs: 20_000 })
    assert.deepEqual(longTrouble(1, 0), { leastMs: 4000, mostMs: 6000 })
  })
})

function trouble(kind: string, struck: string | null): TroubleReport {
  return { kind, what: kind, claims: [], fromMs: 0, untilMs: 2000, struck, mayRaise: [] }
}

function round(convergedMs: number, troubles: readonly TroubleReport[]): RoundReport {
  const traffic = { networkBytes: 0, serialBytes: 0, neededBytes: 0 }
  const nothing = { unnoticed: [], alarms: [], drafted: 0, conflicted: 0, falls: 0, bytesToConverge: 0 }
  return { fromMs: 0, healedMs: 3000, convergedMs, settledMs: convergedMs + 100, troubles, traffic, ...nothing }
}

function campaign(seed: number, rounds: readonly RoundReport[], broken: readonly string[] = []): CampaignReport {
  const mib = 1024 * 1024
  return {
    seed,
    commit: 'c0ffee',
    minutes: 5,
    perSecond: 2,
    elapsedMs: 300_000,
    operations: 10,
    durable: 9,
    unknown: 1,
    typed: 0,
    jobs: {},
    prefixes: 4,
    rounds,
    kinds: kindsOf(rounds),
    traffic: { networkBytes: 2 * mib, serialBytes: 0, neededBytes: mib },
    cpu: { gatewaysMs: 1, harnessMs: 1 },
    samples: [
      {
        atMs: 1,
        gateway: 'a',
        isUp: true,
        isMember: true,
        stage: 1,
        floor: 1,
        journal: 7,
        rssKib: 64 * 1024,
        cpuMs: 1,
        diskBytes: mib,
        sentBytes: 1,
      },
    ],
    alarms: [],
    toldByOthers: 0,
    falls: [],
    broken,
  }
}
