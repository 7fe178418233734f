import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { encode } from 'cborg'
import { toHex } from '../../runtime/base/bytes.ts'
import { createSigningKey } from '../../runtime/device/identity/keys.ts'
import { sealedMessages } from '../support/sealed-messages.ts'
import { signedFleet } from '../support/signed-fleet.ts'
import { encodeSign1, sign1Structure } from '../../runtime/sync/cose.ts'

/** Debian's own interpreter, for which its packages python3-cbor2 and python3-cryptography are. */
const PYTHON = '/usr/bin/python3'
const hasLibraries = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import cbor2, cryptography']).status === 0
const SKIP =
  !hasLibraries &&
  process.env['CI'] !== 'true' &&
  'python3-cbor2 or python3-cryptography is not installed: apt-get install python3-cbor2 python3-cryptography'

/** That are signed: a batch, an announcement, an offer, a request, and one for a chunk. */
const KINDS = [1, 2, 3, 4, 5]

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
    ...sealedMessages(signedFleet(), key).map(({ bytes, bound: own }) => [key.publicKey, own, bytes]),
    ...sealedMessages(signedFleet(), key).map(({ bytes }) => [key.publicKey, bound, bytes]),
  ].map((parts) => parts.map(toHex).join(' '))
  const { status, stdout, stderr } = spawnSync(PYTHON, ['test/interop/verify_sign1.py'], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  const verdicts = [true, false, false, false, ...KINDS.map(() => true), ...KINDS.map(() => false)]
  assert.deepEqual(stdout.trimEnd().split('\n'), verdicts.map(String))
})
