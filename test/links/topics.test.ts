import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeId } from '../../runtime/base/ids.ts'
import { MEMBERS_MAX } from '../../runtime/base/limits.ts'
import { formatPresence, parsePresence, PresenceBook } from '../../runtime/links/mqtt/presence.ts'
import { firstServer, parseServers } from '../../runtime/links/mqtt/servers.ts'
import { clientIdOf, topicsOf } from '../../runtime/links/mqtt/topics.ts'
import { ALICE, BOB } from './link-acceptance.ts'

const GROUP = '00112233445566ff'
const topics = topicsOf(GROUP, ALICE)

test('the topics are the contract that brokers are configured by', () => {
  assert.equal(topics.of({ kind: 'operations' }), `fleet/${GROUP}/op/${ALICE}`)
  assert.equal(topics.of({ kind: 'announcements' }), `fleet/${GROUP}/b/${ALICE}`)
  assert.equal(topics.of({ kind: 'telemetry' }), `fleet/${GROUP}/b/${ALICE}`)
  assert.equal(topics.of({ kind: 'requests' }), `fleet/${GROUP}/w/${ALICE}`)
  assert.equal(topics.of({ kind: 'direct', to: BOB }), `fleet/${GROUP}/in/${BOB}/${ALICE}`)
  assert.equal(topics.presence, `fleet/${GROUP}/n/${ALICE}/st`)
  assert.deepEqual(
    topics.subscriptions.map(({ filter }) => filter.slice(`fleet/${GROUP}/`.length)),
    ['op/+', 'b/+', 'w/+', `in/${ALICE}/+`, 'n/+/st'],
  )
})

test('a received topic is read back, and all else is none of ours', () => {
  const read = (suffix: string): unknown => topics.parse(`fleet/${GROUP}/${suffix}`)
  for (const kind of ['op', 'b', 'w']) assert.deepEqual(read(`${kind}/${BOB}`), { kind: 'frame', from: BOB })
  assert.deepEqual(read(`in/${ALICE}/${BOB}`), { kind: 'frame', from: BOB })
  assert.deepEqual(read(`n/${BOB}/st`), { kind: 'presence', node: BOB })
  const foreign = [
    '',
    'op',
    'op/',
    'op/bob',
    `op/${BOB.toUpperCase()}`,
    `op/${BOB}/`,
    `op/${BOB}/x`,
    `in/${BOB}/${ALICE}`,
    `in/${ALICE}`,
    `in/${ALICE}/${BOB}/x`,
    `n/${BOB}`,
    `n/${BOB}/err`,
    `n/${BOB}/st/x`,
    `s/${BOB}`,
  ]
  for (const suffix of foreign) assert.equal(read(suffix), null, suffix)
  assert.equal(topics.parse(`fleet/other/op/${BOB}`), null)
  assert.equal(topics.parse(`fleet/${GROUP}x/op/${BOB}`), null)
})

test('a group is a plain name of at most 64 characters', () => {
  for (const good of ['a', 'A_b-9', 'x'.repeat(64)]) topicsOf(good, ALICE)
  for (const bad of ['', 'x'.repeat(65), 'a b', 'a.b', 'a/b', '#', 'a\n', 'ä']) {
    assert.throws(() => topicsOf(bad, ALICE), { code: 'config-invalid' }, bad)
  }
})

test('presence is short text with the start count', () => {
  for (const presence of [
    { online: true, startCount: 0 },
    { online: false, startCount: 999_999_999_999_999 },
  ]) {
    assert.deepEqual(parsePresence(Buffer.from(formatPresence(presence))), presence)
  }
  assert.equal(formatPresence({ online: true, startCount: 7 }), 'online 7')
  for (const bad of [
    '',
    'online',
    'online ',
    'online 07',
    'online -1',
    'Online 1',
    'online 1 ',
    'online 1e3',
    ' online 1',
  ]) {
    assert.equal(parsePresence(Buffer.from(bad)), null, bad)
  }
})

test('a death of an older start is ignored, and so is a late birth', () => {
  const book = new PresenceBook()
  assert.equal(book.note(BOB, { online: true, startCount: 2 }), 'changed')
  assert.equal(book.note(BOB, { online: false, startCount: 1 }), 'same')
  assert.equal(book.note(BOB, { online: true, startCount: 2 }), 'same')
  assert.equal(book.note(BOB, { online: false, startCount: 2 }), 'changed')
  assert.equal(book.note(BOB, { online: true, startCount: 1 }), 'same')
  assert.equal(book.note(BOB, { online: true, startCount: 3 }), 'changed')
  book.forgetWhoIsOnline()
  assert.equal(book.note(BOB, { online: false, startCount: 2 }), 'same', 'an older start stays older')
  assert.equal(book.note(BOB, { online: true, startCount: 3 }), 'changed', 'it is told again')
})

test('presence of more nodes than a fleet may have is refused', () => {
  const book = new PresenceBook()
  const nodeOf = (index: number): NodeId => index.toString(16).padStart(16, '0') as NodeId
  for (let index = 0; index < MEMBERS_MAX; index += 1) {
    assert.equal(book.note(nodeOf(index), { online: true, startCount: 1 }), 'changed')
  }
  assert.equal(book.note(nodeOf(MEMBERS_MAX), { online: true, startCount: 1 }), 'full')
  assert.equal(book.note(nodeOf(0), { online: false, startCount: 1 }), 'changed')
})

test('a client id is one of the node in its fleet, and as long as each broker takes', () => {
  assert.equal(clientIdOf(GROUP, ALICE), `fs-${ALICE}0011`)
  assert.equal(clientIdOf(GROUP, ALICE).length, 23)
  assert.notEqual(clientIdOf('ff112233445566ff', ALICE), clientIdOf(GROUP, ALICE))
})

test('servers are read from their URLs, and a fleet spreads over them', () => {
  const [plain, secret, six] = parseServers(
    ['mqtt://broker', 'mqtts://user:p%40ss@broker.example', 'mqtt://[::1]:1900'],
    {},
  )
  assert.deepEqual(plain, {
    protocol: 'mqtt',
    host: 'broker',
    port: 1883,
    username: null,
    password: null,
    label: 'mqtt://broker:1883',
  })
  assert.equal(secret?.username, 'user')
  assert.equal(secret?.password, 'p@ss')
  assert.equal(secret?.label, 'mqtts://broker.example:8883')
  assert.equal(six?.host, '::1')
  assert.equal(six?.label, 'mqtt://[::1]:1900')
  const firsts = [0, 1, 2, 3].map((index) => firstServer(`000000000000000${index}` as NodeId, 3))
  assert.deepEqual(firsts, [0, 1, 2, 0])
})
