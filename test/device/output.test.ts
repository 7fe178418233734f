import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '../../runtime/base/logger.ts'
import { Output } from '../../runtime/device/outputs/output.ts'
import type { OutputRules } from '../../runtime/device/outputs/rules.ts'
import type { Value } from '../../runtime/state/value.ts'
import { drivenClock, type DrivenClock } from './driven-clock.ts'

describe('an output', () => {
  it('is safe from the start on, and follows what the state wants a dwell later', () => {
    const rig = rigOf({ safeValue: false, dwellMs: 200 })
    rig.output.start(true)
    assert.deepEqual(rig.taken(), ['1000 false'])
    rig.clock.advance(500)
    assert.deepEqual(rig.taken(), ['1200 true'])
  })

  it('is left alone until the state wants something, if it has no safe value', () => {
    const rig = rigOf({ dwellMs: 200 })
    rig.output.start(undefined)
    rig.clock.advance(10_000)
    assert.deepEqual(rig.taken(), [])
    rig.output.want(7)
    assert.deepEqual(rig.taken(), ['11000 7'])
  })

  it('changes no faster than its dwell, however fast two fight over it, and ends with what was wanted last', () => {
    const rig = rigOf({ safeValue: false, dwellMs: 200 })
    rig.output.start(undefined)
    for (let at = 0; at < 5000; at += 7) {
      rig.output.want(at % 2 === 0)
      rig.clock.advance(7)
    }
    rig.output.want(true)
    rig.clock.advance(1000)
    const changes = rig.taken().map((text) => Number(text.split(' ')[0]))
    assert.ok(changes.length > 10, 'it follows')
    for (const [index, at] of changes.entries()) assert.ok(index === 0 || at - (changes[index - 1] ?? 0) >= 200)
    assert.equal(rig.device, true)
  })

  it('switches once for a wish that was taken back within the dwell, or not at all', () => {
    const rig = rigOf({ safeValue: false, dwellMs: 200 })
    rig.output.start(undefined)
    rig.clock.advance(1000)
    rig.output.want(true)
    rig.output.want(false)
    rig.output.want(true)
    rig.output.want(false)
    rig.output.want(true)
    rig.clock.advance(1000)
    assert.deepEqual(rig.taken(), ['1000 false', '2000 true'])
  })

  it('is safe at once when no link has been up for safeAfter, dwell or not, and follows again when one is', () => {
    const rig = rigOf({ safeValue: false, dwellMs: 60_000, safeAfterMs: 30_000 })
    rig.output.start(true)
    rig.clock.advance(60_000)
    assert.deepEqual(rig.taken(), ['1000 false'], 'no link has been up yet')
    rig.output.noteLinks(true)
    assert.deepEqual(rig.taken(), ['61000 true'])
    rig.output.noteLinks(false)
    rig.clock.advance(29_999)
    rig.output.noteLinks(false)
    assert.deepEqual(rig.taken(), [])
    rig.output.want(false)
    rig.output.want(true)
    rig.clock.advance(1)
    assert.deepEqual(rig.taken(), ['91000 false'])
    rig.output.want(true)
    rig.clock.advance(100_000)
    assert.deepEqual(rig.taken(), [], 'what is wanted waits')
    rig.output.noteLinks(true)
    assert.deepEqual(rig.taken(), ['191000 true'])
  })

  it('stays where it is when links are lost only for a moment', () => {
    const rig = rigOf({ safeValue: false, safeAfterMs: 1000 })
    rig.output.noteLinks(true)
    rig.output.start(true)
    rig.clock.advance(500)
    rig.taken()
    for (let round = 0; round < 20; round++) {
      rig.output.noteLinks(false)
      rig.clock.advance(900)
      rig.output.noteLinks(true)
      rig.clock.advance(900)
    }
    assert.deepEqual(rig.taken(), [])
  })

  it('asks a device that refuses with growing pauses, for what is wanted then', () => {
    const rig = rigOf({})
    rig.problem = 'no answer'
    rig.output.start(1)
    rig.output.want(2)
    rig.clock.advance(3_000)
    assert.deepEqual(rig.taken(), ['1000 1 refused', '2000 2 refused', '4000 2 refused'])
    rig.output.want(3)
    rig.problem = null
    rig.clock.advance(10_000)
    assert.deepEqual(rig.taken(), ['8000 3'])
  })

  it('sets again what somebody else has changed behind its back', () => {
    const rig = rigOf({ safeValue: false })
    rig.output.start(true)
    rig.clock.advance(100)
    rig.taken()
    rig.device = false
    rig.clock.advance(5000)
    assert.deepEqual(rig.taken(), ['6000 true'])
  })

  it('is safe in the end, even while a device is slow', async () => {
    const rig = rigOf({ safeValue: 0, dwellMs: 60_000 })
    rig.output.start(undefined)
    rig.clock.advance(60_000)
    rig.isSlow = true
    rig.output.want(50)
    const ended = rig.output.end()
    rig.problem = 'no answer'
    rig.answer()
    rig.problem = null
    rig.answer()
    assert.equal(await ended, true)
    assert.deepEqual(rig.taken().slice(-1), ['61000 0'])
    rig.output.want(9)
    rig.clock.advance(100_000)
    assert.deepEqual(rig.taken(), [])
  })
})

describe('an output that takes the place of another', () => {
  it('waits for the rest of the dwell, and is not moved meanwhile', () => {
    const before = rigOf({ safeValue: false, dwellMs: 60_000 })
    before.output.start(undefined)
    before.clock.advance(60_000)
    before.output.want(true)
    assert.deepEqual(before.taken(), ['1000 false', '61000 true'])
    const after = rigOf({ safeValue: false, dwellMs: 60_000 }, before.clock)
    after.output.start(false, before.output.leave())
    after.clock.advance(60_000)
    assert.deepEqual(after.taken(), ['61000 true', '121000 false'])
  })

  it('stays safe while no link is up, and becomes so when the one before it would have', () => {
    const rules = { safeValue: false, safeAfterMs: 30_000 }
    const before = rigOf(rules)
    before.output.start(true)
    before.output.noteLinks(true)
    before.output.noteLinks(false)
    before.clock.advance(20_000)
    const second = rigOf(rules, before.clock)
    second.output.start(true, before.output.leave())
    second.output.noteLinks(false)
    second.clock.advance(20_000)
    assert.deepEqual(second.taken(), ['21000 true', '31000 false'])
    const third = rigOf(rules, before.clock)
    third.output.start(true, second.output.leave())
    third.output.noteLinks(false)
    third.clock.advance(60_000)
    assert.deepEqual(third.taken(), ['41000 false'])
    third.output.noteLinks(true)
    assert.deepEqual(third.taken(), ['101000 true'])
  })

  it('gets what is wanted at once if nobody knows what the device has', () => {
    const before = rigOf({ safeValue: 0, dwellMs: 1000 })
    before.output.start(undefined)
    before.clock.advance(1000)
    before.isSlow = true
    before.output.want(50)
    const past = before.output.leave()
    const after = rigOf({ safeValue: 0, dwellMs: 1000 }, before.clock)
    after.output.start(50, past)
    assert.deepEqual(after.taken(), ['2000 50'])
  })
})

interface Rig {
  readonly output: Output
  readonly clock: DrivenClock
  device: Value
  problem: string | null
  /** Writes wait for `answer`. */
  isSlow: boolean
  answer(): void
  /** What the device was given since the last call, with the time. */
  taken(): string[]
}

function rigOf(rules: Partial<OutputRules>, clock: DrivenClock = drivenClock()): Rig {
  let log: string[] = []
  const waiting: (() => void)[] = []
  const rig: Rig = {
    clock,
    device: null,
    problem: null,
    isSlow: false,
    answer: () => waiting.shift()?.(),
    taken() {
      const taken = log
      log = []
      return taken
    },
    output: new Output({
      name: 'relay',
      rules: { drive: 'tentative', dwellMs: 0, safeAfterMs: null, safeValue: undefined, ...rules },
      clock,
      logger: silentLogger,
      write(value, done) {
        const carryOut = (): void => {
          log.push(`${clock.now()} ${JSON.stringify(value)}${rig.problem === null ? '' : ' refused'}`)
          if (rig.problem === null) rig.device = value
          done(rig.problem)
        }
        if (rig.isSlow) waiting.push(carryOut)
        else carryOut()
      },
      readBack: () => rig.device,
      onResult: () => undefined,
    }),
  }
  return rig
}
