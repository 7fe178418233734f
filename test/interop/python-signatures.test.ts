import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { encode } from 'cborg'
import { toHex } from '../../runtime/base/bytes.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { encodeSign1, sign1Structure } from '../../runtime/sync/cose.ts'

/** Debian's own interpreter, for which its packages python3-cbor2 and python3-cryptography are. */
const PYTHON = '/usr/bin/python3'
const hasLibraries = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import cbor2, cryptography']).status === 0
const SKIP =
  !hasLibraries &&
  process.env['CI'] !== 'true' &&
  'python3-cbor2 or python3-cryptography is not installed: apt-get install python3-cbor2 python3-cryptography'

test('Python verifies what is signed here, and what is bound to it', { skip: SKIP }, () => {
  const key = createSigningKey()
  const bound = encode(['fleet', 1, 9])
  const payload = new TextEncoder().encode('what is said')
  const message = encodeSign1({ payload, signature: key.sign(sign1Structure(payload, bound)) })
  const altered = message.slice()
  altered[8]! ^= 1
  const lines = [
    [key.publicKey, bound, message],
    [createSigningKey().publicKey, bound, message],
    [key.publicKey, encode(['fleet', 1, 8]), message],
    [key.publicKey, bound, altered],
  ].map((parts) => parts.map(toHex).join(' '))
  const { status, stdout, stderr } = spawnSync(PYTHON, ['test/interop/verify_sign1.py'], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  assert.equal(stdout, 'true\nfalse\nfalse\nfalse\n')
})
