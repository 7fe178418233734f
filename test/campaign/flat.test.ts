import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { growths } from './flat.ts'
import type { Sample } from './report.ts'

describe('the check of a soak', () => {
  it('takes it as flat that memory goes up at first, and up and down later', () => {
    assert.deepEqual(growths(samples((index) => (index < 100 ? 60 + index / 5 : 80 + (index % 7)))), [])
  })

  it('finds memory that goes on growing', () => {
    const [line, ...more] = growths(samples((index) => 60 + index / 10))
    assert.match(line ?? '', /the memory of all gateways grew from 75\.0 to 85\.0 MiB/)
    assert.deepEqual(more, [])
  })

  it('finds memory of one gateway that goes on growing, and lets be what a start makes smaller for some minutes', () => {
    const flat = [2, 3, 4, 5].flatMap((number) => samples(() => 80, undefined, `gateway-${number}`))
    assert.deepEqual(growths([...samples((index) => (index < 200 ? 80 : 92)), ...flat]), [])
    assert.match(
      growths([...samples((index) => 60 + index / 5), ...flat]).join(),
      /^the memory of gateway-1 grew from 90/,
    )
  })

  it('finds a disk that goes on growing', () => {
    assert.match(
      growths(
        samples(
          () => 80,
          (index) => 2 + index / 8,
        ),
      ).join(),
      /the disk of gateway-1 grew/,
    )
  })

  it('takes it as flat that a disk fills until its journal is cut for the second time', () => {
    assert.deepEqual(
      growths(
        samples(
          () => 80,
          (index) => Math.min(18, 2 + index / 14),
        ),
      ),
      [],
    )
  })

  it('says nothing of a gateway that was seen too seldom', () => {
    assert.deepEqual(growths(samples((index) => index).slice(0, 5)), [])
  })
})

function samples(
  rssMib: (index: number) => number,
  diskMib: (index: number) => number = () => 2,
  gateway = 'gateway-1',
): Sample[] {
  return Array.from({ length: 300 }, (_, index) => ({
    atMs: index * 1000,
    gateway,
    isUp: true,
    isMember: true,
    stage: index,
    floor: index,
    journal: 0,
    rssKib: rssMib(index) * 1024,
    cpuMs: index,
    diskBytes: diskMib(index) * 1024 * 1024,
    sentBytes: 0,
  }))
}
