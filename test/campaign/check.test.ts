import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ControlClient } from '../../runtime/gateway/control-client.ts'
import { brokenPromises } from './check.ts'
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
      { ...marked('a/1', 'b/1'), 'interlock/holder': 'b' },
      /a took the interlock 1 times more/,
    ],
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

  it('finds a settled change that was taken back', () => {
    const records = recordsOf()
    follow(records, { path: 'done/a/1', after: true, settled: true }, { path: 'done/a/1', before: true, settled: true })
    assert.match(brokenPromises(records, new Map([['a', {}]])).join(), /a took back done\/a\/1/)
  })
})

function entry(key: string, patch: Patch, answer: Answer = DURABLE, job = 'a job'): Entry {
  return { key, gateway: key.split('/')[0] ?? '', job, patch, sentAtMs: 0, answer }
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
  const client: ControlClient = {
    path: 'a',
    call: async () => [],
    watch: async (method, _params, onEvent) => {
      for (const event of events) if ((method === 'state.watch') === 'path' in event) onEvent(event)
    },
    close: () => undefined,
  }
  records.follow('a', client)
}
