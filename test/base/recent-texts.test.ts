import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { textBytes } from '../../runtime/base/bytes.ts'
import { CborReader } from '../../runtime/base/cbor-reader.ts'
import { CborWriter } from '../../runtime/base/cbor-writer.ts'
import { digestAt, digestOf } from '../../runtime/base/digest.ts'
import { RecentTexts } from '../../runtime/base/recent-texts.ts'

describe('recent texts', () => {
  test('give the same text for the same bytes, wherever they stand', () => {
    const recent = new RecentTexts<string>(16)
    const kept = ['line1', 'pump'].join('/')
    recent.keep(kept)
    const bytes = Buffer.from(`..${kept}..`)
    assert.equal(recent.find(bytes, 2, 2 + kept.length), kept)
    assert.equal(recent.find(bytes, 1, 1 + kept.length), null)
    assert.equal(recent.find(bytes, 2, 1 + kept.length), null)
  })

  test('keep no more than they have slots, and never give another text than the bytes say', () => {
    const recent = new RecentTexts<string>(8)
    const texts = Array.from({ length: 200 }, (_, index) => `point${index}`)
    for (const text of texts) recent.keep(text)
    const found = texts.map((text) => recent.find(Buffer.from(text), 0, text.length))
    assert.ok(found.filter((text) => text !== null).length <= 8)
    assert.equal(found.at(-1), texts.at(-1))
    for (const [index, text] of found.entries()) assert.ok(text === null || text === texts[index])
  })

  test('leave out what is not ASCII, whose bytes are not its characters', () => {
    const recent = new RecentTexts<string>(8)
    recent.keep('höhe')
    assert.equal(recent.find(Buffer.from('höhe', 'latin1'), 0, 4), null)
    assert.equal(recent.find(Buffer.from('höhe'), 0, 5), null)
  })

  test('a reader goes on behind a recent text, and stays where it is before another one', () => {
    const recent = new RecentTexts<string>(8)
    recent.keep('a/b')
    const writer = new CborWriter()
    for (const text of ['a/b', 'a/c']) writer.text(text)
    const reader = new CborReader(writer.take())
    assert.equal(reader.takeRecent('path', recent), 'a/b')
    assert.equal(reader.takeRecent('path', recent), null)
    assert.equal(reader.text('path'), 'a/c')
    reader.end('texts')
  })
})

test('a digest is written and read as its bytes, however many others were read in between', () => {
  const digests = Array.from({ length: 3000 }, (_, index) => digestOf(`content ${index}`))
  const writer = new CborWriter()
  for (const digest of digests) {
    writer.reset()
    writer.hex(digest)
    const bytes = writer.take()
    assert.equal(Buffer.from(bytes.subarray(1)).toString('hex'), digest)
    assert.equal(digestAt(bytes, 1), digest)
    assert.equal(new CborReader(bytes).digest('digest'), digest)
  }
})

test('the bytes of a text are counted as the platform counts them', () => {
  for (const text of ['', 'a', 'höhe', '€'.repeat(50), '😀 smile', 'x'.repeat(1000), `${'x'.repeat(200)}ü`])
    assert.equal(textBytes(text), Buffer.byteLength(text))
})
