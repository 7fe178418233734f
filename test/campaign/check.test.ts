import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ControlClient } from '../../runtime/gateway/control-client.ts'
import { brokenPromises, idleGateways, idleJobs, wrongOutputs } from './check.ts'
import { VALVE } from './device-profile.ts'
import { FORBIDDEN, JOB_NAMES } from './load.ts'
import { type Answer, type Entry, markerOf, type Patch, Records } from './records.ts'

const DURABLE: Answer = { kind: 'durable', operation: 'a.0:1', isDraft: false }

describe('the check of a campaign', () => {
  it('finds nothing where everything was kept', () => {
    const records = recordsOf(
      entry('a/1', { add: { 'sums/sum0': 2 } }),
      entry('b/1', { append: { 'lists/b/0': 'b/1' } }),
      entry('c/1', { set: { 'shared/point0': 'c/1' } }),
      entry('d/1', { set: { 'shared/point0': 'd/1' } }, { kind: 'unknown' }),
    )
    const state = { ...marked('a/1', 'b/1', 'c/1'), 'sums/sum0': 2, 'lists/b/0': ['b/1'], 'shared/point0': 'c/1' }
    assert.deepEqual(
      brokenPromises(
        records,
        new Map([
          ['a', state],
          ['b', { ...state }],
        ]),
      ),
      [],
    )
  })

  for (const [what, records, state, finding] of [
    ['a change that was told durable and is nowhere', recordsOf(entry('a/1', {})), {}, /is gone without a word/],
    [
      'a change that its client was told to be impossible',
      recordsOf(entry('a/1', {}, { kind: 'error', code: 'limit-reached' })),
      marked('a/1'),
      /was told limit-reached/,
    ],
    ['a change that nobody asked for', recordsOf(), marked('a/1'), /never asked for/],
    [
      'a sum in which a change counts twice',
      recordsOf(entry('a/1', { add: { 'sums/sum1': 2 } })),
      { ...marked('a/1'), 'sums/sum1': 4 },
      /sums\/sum1 is 4, and what was added to it is 2/,
    ],
    [
      'an item that is in a list twice',
      recordsOf(entry('a/1', { append: { 'lists/a/0': 'a/1' } })),
      { ...marked('a/1'), 'lists/a/0': ['a/1', 'a/1'] },
      /lists\/a\/0 holds a\/1 a\/1/,
    ],
    ['an account below zero', recordsOf(), { 'accounts/north': -1, 'accounts/south': 1 }, /its guard did not hold/],
    ['money that came from nowhere', recordsOf(), { 'accounts/north': 1 }, /hold 1 together, and 0 was paid in/],
    ['the value of a change that does not stand', recordsOf(), { 'shared/point0': 'a/1' }, /does not stand/],
    [
      'half of an operation',
      recordsOf(entry('a/1', { set: { 'twins/left': 'a/1', 'twins/right': 'a/1' } })),
      { ...marked('a/1'), 'twins/left': 'a/1' },
      /the twins differ/,
    ],
    [
      'an interlock that two have taken',
      recordsOf(interlock('a/1'), interlock('b/1')),
      { ...marked('a/1', 'b/1'), 'interlock/holder': 'b', 'b/pump': true, 'interlock/log': ['give a', 'take b'] },
      /a took the interlock 1 times more/,
    ],
    [
      'an interlock that settled for a second one before it was given back',
      recordsOf(),
      { 'interlock/log': ['take a', 'take b', 'give b'] },
      /settled as ‘take a’ and then ‘take b’/,
    ],
    [
      'an interlock that somebody else gave back',
      recordsOf(),
      { 'interlock/log': ['take a', 'give b'] },
      /settled as ‘take a’ and then ‘give b’/,
    ],
    [
      'a pump that is on without the interlock',
      recordsOf(),
      { 'a/pump': true },
      /nobody holds the interlock, and on are: a/,
    ],
    [
      'what a profile forbids',
      recordsOf(entry('a/1', {}, { kind: 'unknown' }, FORBIDDEN.foreign)),
      marked('a/1'),
      /a\/1 stands, which was to write what another gateway owns/,
    ],
    [
      'a value beyond the span of its device',
      recordsOf(),
      { 'a/setpoint': 101 },
      /a\/setpoint is 101, beyond its span/,
    ],
    ['a point that another gateway wrote', recordsOf(), { 'a/serial': 'b/7' }, /a\/serial is b\/7, which another/],
  ] as const) {
    it(`finds ${what}`, () => {
      const broken = brokenPromises(records, new Map([['a', state]]))
      assert.equal(broken.length, 1, broken.join('\n'))
      assert.match(broken[0] ?? '', finding)
    })
  }

  it('finds gateways with different states', () => {
    const broken = brokenPromises(
      recordsOf(),
      new Map([
        ['a', {}],
        ['b', { x: 1 }],
      ]),
    )
    assert.deepEqual(broken, ['b has another state than a'])
  })

  it('takes it as told when a gateway said what became of a change, also of one that came back under another id', async () => {
    const records = recordsOf(entry('a/1', {}))
    follow(records, { kind: 'outcome', operation: 'a.0:1', outcome: 'superseded', before: 'applied' })
    assert.deepEqual(brokenPromises(records, new Map([['a', {}]])), [])
    const again = recordsOf(entry('a/1', {}))
    follow(
      again,
      { kind: 'issued-again', original: { kind: 'operation', operation: 'a.0:1' }, operation: 'a.1:1' },
      { kind: 'outcome', operation: 'a.1:1', outcome: 'applied', before: null },
    )
    assert.equal(brokenPromises(again, new Map([['a', {}]])).length, 1)
    follow(again, { kind: 'outcome', operation: 'a.1:1', outcome: 'refused', before: 'applied' })
    assert.deepEqual(brokenPromises(again, new Map([['a', {}]])), [])
  })

  it('finds two pumps that are on together in a settled prefix, and not what one step of the floor does one after the other', () => {
    const records = recordsOf()
    follow(
      records,
      { path: 'a/pump', after: true, settled: true },
      { kind: 'settled', floor: 1 },
      { path: 'b/pump', before: false, after: true, settled: true },
      { path: 'a/pump', before: true, after: false, settled: true },
      { kind: 'settled', floor: 2 },
    )
    assert.deepEqual([records.broken, records.prefixes], [[], 2])
    follow(records, { path: 'a/pump', after: true }, { path: 'b/pump', after: true }, { kind: 'settled', floor: 3 })
    assert.match(records.broken.join(), /a\/pump and b\/pump were on together in a settled state of a/)
  })

  it('counts on with what was archived', () => {
    const records = recordsOf(
      entry('a/1', { add: { 'sums/sum0': 2 } }),
      entry('a/2', { set: { 'shared/point0': 'a/2' } }),
      entry('a/3', {}, DURABLE, 'take the interlock'),
    )
    records.archive(new Set(['done/a/1', 'done/a/2', 'done/a/3']))
    assert.deepEqual(records.entries, [])
    const state = {
      'sums/sum0': 2,
      'shared/point0': 'a/2',
      'interlock/holder': 'a',
      'a/pump': true,
      'interlock/log': ['take a'],
    }
    assert.deepEqual(brokenPromises(records, new Map([['a', state]])), [])
    assert.match(
      brokenPromises(records, new Map([['a', { ...state, 'sums/sum0': 3 }]])).join(),
      /sum0 is 3, and .* is 2/,
    )
    follow(records, { path: 'done/a/1', before: true, settled: true })
    assert.deepEqual(records.broken, [], 'its mark was taken away on purpose')
  })

  it('finds a job of which nothing stands', () => {
    const jobs = Object.fromEntries(JOB_NAMES.map((job) => [job, { asked: 30, durable: 9, refused: 0, standing: 9 }]))
    assert.deepEqual(idleJobs(jobs), [])
    assert.deepEqual(idleJobs({ ...jobs, add: { asked: 30, durable: 9, refused: 21, standing: 0 } }), [
      'no change of the job ‘add’ stands',
    ])
  })

  it('finds a gateway that took nothing', () => {
    const durableBy = new Map([
      ['a', 399],
      ['b', 1],
    ])
    assert.deepEqual(idleGateways(['a', 'b'], durableBy), [])
    assert.deepEqual(idleGateways(['a', 'b', 'c'], durableBy), ['no change was told durable by c'])
    assert.deepEqual(idleGateways(['a', 'c'], new Map([['a', 399]])), [], 'by chance')
  })

  it('counts by gateway what was told durable, and nothing else', () => {
    const records = recordsOf()
    records.noteAnswer(entry('a/1', {}))
    records.noteAnswer(entry('b/1', {}, { kind: 'unknown' }))
    records.noteAnswer(entry('c/1', {}, { kind: 'error', code: 'operation-refused' }))
    assert.deepEqual([...records.durableBy], [['a', 1]])
  })

  for (const [what, last, state, finding] of [
    ['an output that was told what is settled', 40, { [VALVE]: 40 }, []],
    ['an output that is safe where nothing is settled', 0, {}, []],
    ['an output that stayed safe', 0, { [VALVE]: 40 }, [`the output ${VALVE} was told 0 last, and 40 is settled`]],
    ['an output that stayed open', 40, {}, [`the output ${VALVE} was told 40 last, and 0 is settled`]],
    [
      'an output that nobody told',
      undefined,
      { [VALVE]: 40 },
      [`the output ${VALVE} was told nothing last, and 40 is settled`],
    ],
  ] as const)
    it(`${finding.length === 0 ? 'leaves' : 'finds'} ${what}`, () => {
      assert.deepEqual(wrongOutputs(new Map([[VALVE, last]]), state), finding)
    })

  it('wants to hear what became of a change from the gateway that took it, and not from another one', () => {
    const refused = { kind: 'outcome', operation: 'a.0:1', outcome: 'refused', before: 'applied' }
    const superseded = { kind: 'conflict', conflict: { loser: { operation: 'a.0:1' } } }
    const again = { kind: 'issued-again', original: { kind: 'operation', operation: 'a.0:1' }, operation: null }
    for (const told of [refused, superseded, again]) {
      const records = recordsOf(entry('a/1', {}))
      follow(records)
      followAs(records, 'b', told)
      assert.match(brokenPromises(records, new Map([['a', {}]])).join(), /a\/1 .* is gone without a word/, told.kind)
      const heard = recordsOf(entry('a/1', {}))
      follow(heard, told)
      assert.deepEqual(brokenPromises(heard, new Map([['a', {}]])), [], told.kind)
      assert.equal(heard.toldByOthers.size, 0)
    }
  })

  it('takes the word of another one for a gateway that was started anew or set back since, and notes it', () => {
    const refused = { kind: 'outcome', operation: 'a.0:1', outcome: 'refused', before: 'applied' }
    for (const change of [(records: Records) => follow(records), (records: Records) => records.noteSetBack('a')]) {
      const records = recordsOf(entry('a/1', {}))
      follow(records)
      followAs(records, 'b', refused)
      change(records)
      assert.deepEqual(brokenPromises(records, new Map([['a', {}]])), [])
      assert.deepEqual([...records.toldByOthers], ['a/1'])
    }
  })

  it('believes who told that a change is refused, also if another gateway tells what it had known before', () => {
    const records = recordsOf(entry('a/1', {}))
    const refused = { kind: 'outcome', operation: 'a.0:1', outcome: 'refused', before: 'applied' }
    follow(records, refused)
    followAs(records, 'restored', { ...refused, outcome: 'applied', before: null })
    assert.deepEqual(brokenPromises(records, new Map([['a', {}]])), [])
    followAs(records, 'a', { ...refused, outcome: 'applied', before: 'refused' })
    assert.equal(brokenPromises(records, new Map([['a', {}]])).length, 1)
  })

  it('finds a settled change that was taken back', () => {
    const records = recordsOf()
    follow(records, { path: 'done/a/1', after: true, settled: true }, { path: 'done/a/1', before: true, settled: true })
    assert.match(brokenPromises(records, new Map([['a', {}]])).join(), /a took back done\/a\/1/)
  })
})

function entry(key: string, patch: Patch, answer: Answer = DURABLE, job = 'a job'): Entry {
  return { key, gateway: key.split('/')[0] ?? '', job, patch, sentAtMs: 0, watch: 1, answer }
}

function interlock(key: string): Entry {
  return entry(key, {}, DURABLE, 'take the interlock')
}

function recordsOf(...entries: readonly Entry[]): Records {
  const records = new Records()
  records.entries.push(...entries)
  return records
}

function marked(...keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(keys.map((key) => [markerOf(key), true]))
}

/** A gateway that tells these events to whoever watches. */
function follow(records: Records, ...events: readonly Readonly<Record<string, unknown>>[]): void {
  followAs(records, 'a', ...events)
}

function followAs(records: Records, gateway: string, ...events: readonly Readonly<Record<string, unknown>>[]): void {
  const followers = new Map<string, (event: unknown) => void>()
  const client: ControlClient = {
    path: 'a',
    call: async () => [],
    watch: async (method, _params, onEvent) => {
      followers.set(method, onEvent)
      // Both tell what happens in its order, over one connection.
      if (followers.size === 2)
        for (const event of events) followers.get('path' in event ? 'state.watch' : 'journal.watch')?.(event)
    },
    close: () => undefined,
  }
  records.follow(gateway, client)
}
