import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  formatOperationId,
  isMemberId,
  memberIdFromBytes,
  memberIdOf,
  memberIdToBytes,
  type NodeId,
  nodeOf,
  nonceOf,
  parseOperationId,
  sameOperationId,
} from '../../runtime/base/ids.ts'

const NODE = '0a00000000000001' as NodeId

test('a member id holds its node and its nonce, as text and as 12 bytes', () => {
  const member = memberIdOf(NODE, 0xdeadbeef)
  assert.equal(member, '0a00000000000001.deadbeef')
  assert.equal(nodeOf(member), NODE)
  assert.equal(nonceOf(member), 0xdeadbeef)
  assert.equal(memberIdToBytes(member).length, 12)
  assert.equal(memberIdFromBytes(memberIdToBytes(member)), member)
})

test('an operation id is read from its text, and from nothing else', () => {
  const id = { member: memberIdOf(NODE, 0), seq: 42 }
  assert.deepEqual(parseOperationId(formatOperationId(id)), id)
  const largest = { member: id.member, seq: Number.MAX_SAFE_INTEGER }
  assert.deepEqual(parseOperationId(formatOperationId(largest)), largest)
  for (const text of [
    `${id.member}:9007199254740992`,
    '',
    ':',
    id.member,
    `${id.member}:0`,
    `${id.member}:-1`,
    `${id.member}:1.5`,
    'x:1',
  ])
    assert.equal(parseOperationId(text), null, text)
  assert.ok(!isMemberId('0A00000000000001.00000000'), 'upper case would be a second name')
})

test('two operation ids are the same by member and seq, and nothing is the same as nothing', () => {
  const id = { member: memberIdOf(NODE, 0), seq: 1 }
  assert.ok(sameOperationId(id, { ...id }))
  assert.ok(!sameOperationId(id, { ...id, seq: 2 }))
  assert.ok(!sameOperationId(id, { ...id, member: memberIdOf(NODE, 1) }))
  assert.ok(!sameOperationId(id, null))
  assert.ok(sameOperationId(null, null))
})
