import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FleetstepError } from '../../runtime/base/errors.ts'
import {
  ANSWER_STEP_MS,
  BATCHED_COMMIT_WINDOW_MS,
  BATCHES_PER_ANSWER_STEP_MAX,
  COMMIT_CONGESTED_MS,
  DISK_CHECK_MS,
  DISK_RETRY_MS,
  VOLATILE_COMMIT_WINDOW_MS,
} from '../../runtime/base/limits.ts'
import type { Channel, Link, LinkEvents, Waiting } from '../../runtime/links/link.ts'
import { memoryHub } from '../../runtime/links/memory/memory-link.ts'
import { realClock, SteppedClock, until } from '../links/clocks.ts'
import { ANNA, open, openAlone, openPair, BERT, CARL } from './fleet.ts'
import { FullStore } from './full-store.ts'

describe('gateway', () => {
  it('shows a change at once here, then on the other gateway', async (t) => {
    const { anna, bert } = await openPair(t)
    anna.state.set('lamp', true)
    assert.equal(anna.state.get('lamp'), true)
    await until(() => bert.state.get('lamp') === true, 'bert has the change')
  })

  it('keeps a receipt that becomes durable, then settled', async (t) => {
    const { anna, bert } = await openPair(t)
    const receipt = anna.state.set('lamp', true)
    assert.equal(receipt.outcome, 'applied')
    assert.equal(receipt.isSettled, false)
    await receipt.durable
    assert.equal(await receipt.settled, 'applied')
    assert.equal(receipt.isSettled, true)
    assert.equal(anna.state.settled('lamp'), true)
    await until(() => bert.state.settled('lamp') === true, 'it is settled at bert too')
    assert.deepEqual(bert.state.entries('lamp', 'settled'), [['lamp', true]])
  })

  it('settles nothing while the other gateway is not heard', async (t) => {
    const anna = await open(t, BERT)
    const receipt = anna.state.set('lamp', true)
    await receipt.durable
    assert.equal(receipt.isSettled, false)
    assert.equal(anna.state.settled('lamp'), undefined)
    assert.deepEqual(anna.state.entries('', 'settled'), [])
    assert.equal(anna.inspect().floorHold?.reason, 'not heard yet')
  })

  it('tells a watch of each change, tentative and settled', async (t) => {
    const { anna, bert } = await openPair(t)
    const seen: string[] = []
    bert.state.watch('lamp/*', ({ path, after }) => seen.push(`tentative ${path}=${JSON.stringify(after)}`))
    bert.state.watch('lamp/*', ({ path, after }) => seen.push(`settled ${path}=${JSON.stringify(after)}`), 'settled')
    anna.state.set('lamp/1', true)
    anna.state.set('pump', 1)
    await until(() => seen.length === 2, 'both views have seen it')
    assert.deepEqual(seen, ['tentative lamp/1=true', 'settled lamp/1=true'])
  })

  it('takes a change that is made inside a watch, in order', async (t) => {
    const { anna, bert } = await openPair(t)
    const seen: string[] = []
    bert.state.watch('**', ({ path, after }) => seen.push(`${path}=${JSON.stringify(after)}`))
    anna.state.watch('button', ({ after }) => void anna.state.set('lamp', after ?? false))
    const receipt = anna.state.set('button', true)
    assert.equal(anna.state.get('lamp'), true)
    assert.equal(await receipt.settled, 'applied')
    await until(() => bert.state.get('lamp') === true, 'bert has both')
    assert.deepEqual(seen, ['button=true', 'lamp=true'])
  })

  it('stores what it has heard and the answer to it in one commit, also where the answer comes a moment later', async (t) => {
    const { anna, bert } = await openPair(t)
    bert.state.set('lamp', 0)
    await until(() => anna.state.settled('lamp') === 0, 'both know each other')
    await until(() => bert.state.settled('lamp') === 0, 'both have settled that')
    const heard = new Promise<number>((resolve) => bert.state.watch('button', () => resolve(bert.storage().commits)))
    anna.state.set('button', true)
    const before = await heard
    const receipt = bert.state.set('lamp', 1)
    await receipt.durable
    assert.equal(bert.storage().commits, before + 1)
  })

  it('goes on when a watch throws, and does not tell a watch that has ended', async (t) => {
    const anna = await openAlone(t)
    const seen: unknown[] = []
    anna.state.watch('lamp', () => {
      throw new Error('a broken callback')
    })
    const stop = anna.state.watch('lamp', ({ after }) => seen.push(after))
    anna.state.set('lamp', 1)
    stop()
    anna.state.set('lamp', 2)
    assert.deepEqual(seen, [1])
  })

  it('lists the change that yielded, and makes it stand when it is applied again', async (t) => {
    const { anna, bert, hub } = await openPair(t)
    anna.state.set('speed', 0)
    await until(() => bert.state.get('speed') === 0, 'both know the point')
    hub.cut(BERT)
    anna.state.set('speed', 10)
    bert.state.set('speed', 20)
    hub.heal(BERT)
    await until(() => bert.state.get('speed') === 10, 'the higher tier stands on both')
    await until(() => anna.conflicts.list().length === 1, 'anna lists the conflict')
    const [conflict] = bert.conflicts.list()
    assert.ok(conflict)
    assert.deepEqual([conflict.path, conflict.winner.value, conflict.loser.value], ['speed', 10, 20])
    bert.conflicts.reapply(conflict.id)
    assert.deepEqual(bert.conflicts.list(), [])
    await until(() => anna.state.get('speed') === 20, 'the change stands on both')
    assert.throws(() => bert.conflicts.dismiss(conflict.id), isError('path-unknown', /there is no conflict/))
  })

  it('takes one operation whole or not at all', async (t) => {
    const anna = await openAlone(t)
    anna.state.set('valve', 'closed')
    const receipt = anna.state.transaction((change) => {
      change.expect('valve', 'open')
      change.set('pump', true)
    })
    assert.equal(receipt.outcome, 'refused')
    assert.match(receipt.reason ?? '', /guard/)
    assert.equal(anna.state.get('pump'), undefined)
  })

  it('refuses what is no path and no value, and has changed nothing then', async (t) => {
    const anna = await openAlone(t)
    const before = anna.inspect().last
    assert.throws(() => anna.state.set('a//b', 1), isError('operation-invalid', /empty segment/))
    assert.throws(() => anna.state.set('a', Number.NaN), isError('operation-invalid', /finite/))
    assert.deepEqual(anna.inspect().last, before)
    assert.deepEqual(anna.state.entries(), [])
  })

  it('closes a link for maintenance, goes on alone, and catches up when it is opened again', async (t) => {
    const { anna, bert } = await openPair(t)
    anna.state.set('lamp', 1)
    await until(() => bert.state.get('lamp') === 1, 'bert has the first change')
    await bert.closeLink('memory')
    assert.deepEqual(
      bert.links().map(({ isOpen, state }) => [isOpen, state]),
      [[false, 'closed']],
    )
    anna.state.set('lamp', 2)
    bert.state.set('pump', 3)
    assert.equal(bert.state.get('lamp'), 1)
    bert.openLink('memory')
    await until(() => bert.state.get('lamp') === 2 && anna.state.get('pump') === 3, 'both have caught up')
    assert.throws(() => bert.openLink('serial'), isError('path-unknown', /this gateway has memory/))
  })

  it('keeps the changes of a newcomer until a member has taken it in, and then settles them', async (t) => {
    const { bert, hub } = await openPair(t)
    const carl = await open(t, CARL, { links: [() => hub.link(CARL)], device: 'carl' })
    const receipt = carl.state.set('carl/lamp', true)
    assert.equal(carl.state.get('carl/lamp'), true, 'it is executed at once')
    await receipt.durable
    assert.equal(await receipt.settled, 'applied')
    assert.equal(bert.state.get('carl/lamp'), true)
    assert.equal(receipt.id.member, carl.inspect().self)
  })

  it('rejects what is asked of receipts that a close leaves open', async (t) => {
    const bert = await open(t, BERT)
    const { settled, durable } = bert.state.set('lamp', 1)
    await durable
    const rejected = assert.rejects(settled, isError('storage-failed', /was closed/))
    await bert.close()
    await rejected
  })
})

describe('how soon a change is committed', () => {
  for (const [persist, windowMs] of [
    ['always', 0],
    ['batched', BATCHED_COMMIT_WINDOW_MS],
    ['volatile', VOLATILE_COMMIT_WINDOW_MS],
  ] as const) {
    it(`${persist}: within ${windowMs} ms`, async (t) => {
      const clock = new SteppedClock()
      const anna = await openAlone(t, { clock })
      const startedAt = clock.now()
      let committedAt: number | null = null
      const receipt = anna.state.set('lamp', 1, { persist })
      void receipt.durable.then(() => (committedAt = clock.now()))
      await until(() => {
        if (windowMs > 0 && committedAt === null) clock.step()
        return committedAt !== null
      }, 'it is committed')
      assert.equal((committedAt ?? 0) - startedAt, windowMs)
    })
  }

  for (const isBusy of [true, false]) {
    it(`${isBusy ? 'a moment later' : 'at once'} where a link is ${isBusy ? '' : 'not '}busy with what was sent before`, async (t) => {
      const clock = new SteppedClock()
      const anna = await openAlone(t, { clock, links: [() => linkThatIs(isBusy)] })
      const startedAt = clock.now()
      let committedAt: number | null = null
      const receipt = anna.state.set('lamp', 1)
      void receipt.durable.then(() => (committedAt = clock.now()))
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      assert.equal(committedAt, isBusy ? null : startedAt)
      await until(() => {
        if (committedAt === null) clock.step()
        return committedAt !== null
      }, 'it is committed')
    })
  }

  it('when nothing waits in the link any more, where frames wait there already', async (t) => {
    const clock = new SteppedClock()
    const link = linkThatIs(true, 'operations')
    const anna = await openAlone(t, { clock, links: [() => link] })
    for (const isTold of [true, false]) {
      const startedAt = clock.now()
      let committedAt: number | null = null
      void anna.state.set('lamp', isTold).durable.then(() => (committedAt = clock.now()))
      if (isTold) link.events?.writable()
      await until(() => {
        if (!isTold && committedAt === null) clock.step()
        return committedAt !== null
      }, 'it is committed')
      assert.equal((committedAt ?? 0) - startedAt, isTold ? 0 : COMMIT_CONGESTED_MS)
    }
  })

  it('what is gathered goes along with a change that cannot wait', async (t) => {
    const clock = new SteppedClock()
    const anna = await openAlone(t, { clock })
    const reading = anna.state.set('level', 1, { persist: 'volatile' })
    await anna.state.set('lamp', 1).durable
    await reading.durable
    assert.equal(clock.now(), 0)
  })
})

function linkThatIs(isBusy: boolean, waiting: Waiting = 'nothing'): Link & { events: LinkEvents | null } {
  const counters = { framesSent: 0, framesReceived: 0, bytesSent: 0, bytesReceived: 0, dropped: {}, reconnects: 0 }
  return {
    name: 'busy',
    reach: 'broadcast',
    isBusy,
    waiting,
    events: null,
    open(events) {
      this.events = events
    },
    send: () => true,
    close: () => Promise.resolve(),
    status: () => ({ state: 'up', cause: null, peer: 'nobody', counters }),
  }
}

describe('gateway with an answer that is longer than its link takes at once', () => {
  it('sends some of it, and the rest when nothing waits in the link any more', async (t) => {
    const hub = memoryHub({ clock: realClock })
    const link = new LinkWithQueue(hub.link(ANNA))
    const clock = new SteppedClock()
    const anna = await open(t, ANNA, { links: [() => link], clock })
    const bert = await open(t, BERT, { links: [() => hub.link(BERT)] })
    const pass = async (isReached: () => boolean, what: string): Promise<void> => {
      await until(() => {
        clock.step()
        return isReached()
      }, what)
    }
    anna.state.set('before', 1)
    await pass(() => bert.state.get('before') === 1, 'both are in step')
    hub.cut(BERT)
    for (let count = 0; count < 3 * BATCHES_PER_ANSWER_STEP_MAX; count += 1)
      await anna.state.set(`p/${count}`, 1).durable
    link.empty()
    hub.heal(BERT)
    for (let step = 1; step <= 3; step += 1) {
      const received = step * BATCHES_PER_ANSWER_STEP_MAX
      await pass(() => bert.state.entries('p').length >= received, 'the next part is there')
      const laterMs = clock.now() + 10 * ANSWER_STEP_MS
      await pass(() => clock.now() > laterMs, 'more could have been sent')
      assert.equal(link.answers, BATCHES_PER_ANSWER_STEP_MAX)
      link.empty()
    }
  })
})

/** Answers wait in it, as it says, from when it has got one until it is emptied. */
class LinkWithQueue implements Link {
  readonly name: string
  readonly reach: Link['reach']
  answers = 0
  waiting: Waiting = 'nothing'
  readonly #link: Link
  #events: LinkEvents | null = null

  constructor(link: Link) {
    this.name = link.name
    this.reach = link.reach
    this.#link = link
  }

  open(events: LinkEvents): void {
    this.#events = events
    this.#link.open(events)
  }

  send(frame: Uint8Array, channel: Channel): boolean {
    if (channel.kind === 'answers') {
      this.answers += 1
      this.waiting = 'answers'
    }
    return this.#link.send(frame, channel)
  }

  empty(): void {
    this.answers = 0
    this.waiting = 'nothing'
    this.#events?.writable()
  }

  async close(): Promise<void> {
    await this.#link.close()
  }

  status(): ReturnType<Link['status']> {
    return this.#link.status()
  }
}

describe('gateway on a full disk', () => {
  it('refuses changes, says so, keeps what it had executed, and recovers', async (t) => {
    const clock = new SteppedClock()
    const storage = new FullStore()
    const anna = await openAlone(t, { storage, clock })
    await anna.state.set('before', 1).durable
    const problems: (string | null)[] = []
    anna.observeStorage((problem) => problems.push(problem?.code ?? null))
    storage.isFull = true
    const receipt = anna.state.set('lamp', 1)
    await until(() => anna.storageProblem() !== null, 'the disk is found full')
    assert.throws(() => anna.state.set('pump', 1), isError('disk-full', /make room/))
    assert.equal(anna.state.get('pump'), undefined)
    assert.equal(anna.state.get('lamp'), 1)
    storage.isFull = false
    const startedAt = clock.now()
    await until(() => {
      if (anna.storageProblem() !== null) clock.step()
      return anna.storageProblem() === null
    }, 'writing works again')
    assert.ok(clock.now() - startedAt >= DISK_RETRY_MS)
    await receipt.durable
    await anna.state.set('pump', 1).durable
    assert.deepEqual(problems, ['disk-full', null])
  })

  it('ends for good when the store fails in another way', async (t) => {
    const storage = new FullStore()
    const fatal: unknown[] = []
    const anna = await openAlone(t, { storage, onFatal: (error) => fatal.push(error) })
    await anna.state.set('before', 1).durable
    storage.commit = async () => await Promise.reject(new FleetstepError('storage-failed', 'the card is gone'))
    anna.state.set('lamp', 1)
    await until(() => fatal.length === 1, 'the daemon is told')
    assert.ok(isError('storage-failed', /the card is gone/)(fatal[0]))
  })

  it('ends for good at its next look when the data directory is gone, and takes no change after it', async (t) => {
    const clock = new SteppedClock()
    const storage = new FullStore()
    const fatal: unknown[] = []
    const anna = await openAlone(t, { storage, clock, onFatal: (error) => fatal.push(error) })
    await anna.state.set('before', 1).durable
    storage.checkPlace = () => {
      throw new FleetstepError('storage-failed', 'the directory was moved')
    }
    while (fatal.length === 0) assert.ok(clock.step() && clock.now() <= DISK_CHECK_MS, 'a look is due')
    assert.ok(isError('storage-failed', /was moved/)(fatal[0]))
    assert.throws(() => anna.state.set('lamp', 1), isError('storage-failed', /was moved/))
    assert.equal(anna.storageProblem(), fatal[0])
    assert.equal(anna.state.get('lamp'), undefined)
  })
})

function isError(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof FleetstepError && error.code === code && message.test(error.message)
}
