import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type LineOptions } from '../../support/serial-line.ts'
import { LineLoad, LoadedEnd } from '../../support/line-load.ts'
import { SerialRig } from './serial-fixture.ts'

/** What a line must carry, in per cent of its rate, in each direction that is used. */
describe('a serial line carries, of its rate and every byte right,', () => {
  const cases: readonly [name: string, atLeast: number, options: Partial<LineOptions>, isBoth?: boolean][] = [
    ['95 % at 115,200 baud', 95, {}],
    ['95 % at 9,600 baud', 95, { baud: 9600 }],
    ['93 % both ways at once', 93, {}, true],
    ['93 % both ways at once at 9,600 baud', 93, { baud: 9600 }, true],
    ['93 % where one bit in 100,000 flips', 93, { bitErrorRate: 1e-5 }],
    ['75 % where one bit in 10,000 flips', 75, { bitErrorRate: 1e-4 }],
    ['95 % through an adapter that delivers every 16 ms', 95, { latencyMs: 16 }],
    [
      '85 % with bursts of 8 bytes, overruns and lost bytes',
      85,
      { burstRate: 4e-5, overrunRate: 0.01, byteLossRate: 4e-5 },
    ],
  ]
  for (const [name, atLeast, options, isBoth = false] of cases) {
    test(name, () => {
      const { to, back } = measure(options, isBoth)
      assert.ok(to >= atLeast, `carried ${to.toFixed(1)} %`)
      if (isBoth) assert.ok(back >= atLeast, `carried ${back.toFixed(1)} % back`)
    })
  }
})

function measure(options: Partial<LineOptions>, isBoth: boolean): { to: number; back: number } {
  const rig = new SerialRig({ seed: 5, ...options })
  const [alice, bob] = [new LoadedEnd(), new LoadedEnd()]
  const to = new LineLoad(rig.alice, 1, 4096)
  const back = new LineLoad(rig.bob, 2, 4096)
  alice.out = to
  bob.into = to
  if (isBoth) bob.out = back
  alice.into = back
  rig.alice.open(alice)
  rig.bob.open(bob)
  rig.until(() => alice.isUp && bob.isUp, 'both are up')
  const ms = rig.baud > 20_000 ? 60_000 : 120_000
  rig.pass(ms)
  assert.equal(to.wrong + back.wrong, 0)
  const capacity = (rig.baud / 10) * (ms / 1000)
  return { to: (100 * to.bytes) / capacity, back: (100 * back.bytes) / capacity }
}
