import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { encode } from 'cborg'
import { EMPTY_DIGEST } from '../../runtime/base/digest.ts'
import type { Cell } from '../../runtime/state/cell.ts'
import type { Path } from '../../runtime/state/path.ts'
import { priorityOf } from '../../runtime/state/priority.ts'
import { History } from '../../runtime/sync/history.ts'
import { LocalState } from '../../runtime/sync/local-state.ts'
import { Membership } from '../../runtime/sync/membership.ts'
import { StateDigests, stateDigest } from '../../runtime/sync/state-digest.ts'
import { founder } from '../support/driven-replica.ts'
import { HandIssuer } from '../support/handmade.ts'
import { genesisOf } from '../support/replica-network.ts'

const A = founder(genesisOf(1), 0)

describe('the digest of the settled state', () => {
  it('is of points and their values, in whatever order they came', () => {
    const [one, two] = [cell(1, 1), cell(2, 2)]
    const digests = [
      [
        ['x', one],
        ['y', two],
      ],
      [
        ['y', two],
        ['x', one],
      ],
      [
        ['x', two],
        ['y', one],
      ],
      [
        ['x', cell(3, 1)],
        ['y', two],
      ],
      [['x', one]],
      [],
    ].map((cells) => stateDigest(stateWith(cells as [string, Cell][])))
    assert.equal(digests[0], digests[1])
    assert.equal(new Set(digests).size, 5)
  })

  it('is what the grammar says of it: the digest of the sorted digests of path and value', () => {
    const first8 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest().subarray(0, 8)
    const points = Array.from({ length: 9 }, (_, index) => [`p${index}`, index * 1000] as const)
    const numbers = points.map((point) => first8(encode(point)).readBigUInt64LE())
    const written = numbers
      .toSorted((left, right) => (left < right ? -1 : 1))
      .map((number) => {
        const bytes = Buffer.alloc(8)
        bytes.writeBigUInt64LE(number)
        return bytes
      })
    const local = stateWith(points.map(([path, value]) => [path, cell(value, 1)]))
    assert.equal(stateDigest(local), first8(Buffer.concat(written)).toString('hex'))
  })

  it('leaves out who has written a value: what is added behind a tombstone has a writer only where that is remembered', () => {
    const unwritten: Cell = { value: 1, writer: null }
    assert.equal(stateDigest(stateWith([['x', unwritten]])), stateDigest(stateWith([['x', cell(1, 1)]])))
  })

  it('leaves out tombstones, which each member forgets in its own time', () => {
    const gone: Cell = { ...cell(1, 1), value: undefined }
    assert.equal(
      stateDigest(
        stateWith([
          ['x', cell(1, 1)],
          ['y', gone],
        ]),
      ),
      stateDigest(stateWith([['x', cell(1, 1)]])),
    )
  })

  it('is that of the state as it is now, however often it was looked at before', () => {
    const { history, issuer } = held()
    for (const value of [1, 2, 3]) {
      issuer.issue({ set: [value === 2 ? 'y' : 'x', value, null], after: issuer.last })
      settle(history, issuer)
      const copy = stateWith([...history.local.settledCells()])
      assert.equal(stateDigest(history.local), stateDigest(copy))
    }
  })

  it('of many new points takes several looks, of which each goes on', () => {
    const local = stateWith(Array.from({ length: 25 }, (_, index) => [`p${index}`, cell(index, 1)]))
    const looks = [1, 2, 3].map(() => stateDigest(local, 10))
    assert.deepEqual(looks.slice(0, 2), [null, null])
    assert.equal(looks[2], stateDigest(local))
  })

  it('is stated where the floor has come to rest, and remembered for a while', () => {
    const { history, issuer } = held()
    const states = new StateDigests()
    issuer.issue({ set: ['x', 1] })
    settle(history, issuer)
    assert.equal(states.mark(history), null, 'the floor has just moved')
    const mark = states.mark(history)
    assert.deepEqual(mark, { stage: 1, digest: stateDigest(history.local) })
    issuer.issue({ set: ['x', 2, null], after: issuer.last })
    settle(history, issuer)
    assert.equal(states.mark(history), null)
    assert.equal(states.at(history, 1), mark?.digest)
    assert.equal(states.at(history, 7), null)
    assert.equal(states.at(new History(new Membership(genesisOf(1)), 0, EMPTY_DIGEST), 1), null, 'of another history')
  })
})

class Issuer extends HandIssuer {
  last: ReturnType<HandIssuer['issue']> | null = null

  override issue(handmade: Parameters<HandIssuer['issue']>[0]): ReturnType<HandIssuer['issue']> {
    return (this.last = super.issue(handmade))
  }
}

function held(): { history: History; issuer: Issuer } {
  return { history: new History(new Membership(genesisOf(1)), 0, EMPTY_DIGEST), issuer: new Issuer(A, 1) }
}

/** Takes the newest batch, and settles it. */
function settle(history: History, issuer: Issuer): void {
  history.receive(issuer.batches.at(-1)!)
  history.fold(issuer.last!.stage)
  assert.equal(history.floor, issuer.last!.stage)
}

function cell(value: number, seq: number): Cell {
  return { value, writer: { id: { member: A, seq }, stage: seq, priority: priorityOf(A, 1) } }
}

function stateWith(cells: readonly (readonly [path: string, cell: Cell])[]): LocalState {
  const local = new LocalState()
  for (const [path, one] of cells) local.restore(path as Path, one)
  return local
}
