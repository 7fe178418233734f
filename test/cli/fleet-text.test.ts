import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memberIdOf, type NodeId } from '../../runtime/base/ids.ts'
import { epochText } from '../../runtime/cli/fleet-text.ts'

const MEMBER = memberIdOf('0c00000000000001' as NodeId, 7)

describe('an epoch as the operator reads it before he signs', () => {
  const draft = { member: MEMBER, tier: 200, key: new Uint8Array(32).fill(0xab), grant: new Uint8Array() }
  const cases = [
    [[], /^let in +none$/m],
    [[draft], /^let in +0c00000000000001\.00000007 as gateway, tier 200, key abababababababab$/m],
    [[{ ...draft, role: 'operator' as const }], /00000007 as operator, tier 200, key ab/],
  ] as const
  for (const [admitted, text] of cases) {
    it(`says whom it lets in, with which role, tier and key: ${String(text)}`, () => {
      assert.match(epochText({ number: 1, counting: [], retired: [], admitted }), text)
    })
  }
})
