import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'
import { toHex } from '../../base/bytes.ts'
import { FleetstepError } from '../../base/errors.ts'
import { KEY_BYTES, KNOWN_KEYS_MAX } from '../../base/limits.ts'

/** A private key of Ed25519 (RFC 8032) that can be used, and the public key that others know. */
export interface SigningKey {
  /** KEY_BYTES. */
  readonly publicKey: Uint8Array
  /** KEY_BYTES: what has to stay secret. Never logged, never on a command line. */
  readonly secret: Uint8Array
  /** @returns 64 bytes */
  sign(bytes: Uint8Array): Uint8Array
}

/** A new key from the chance of the operating system. */
export function createSigningKey(): SigningKey {
  return signingKeyOf(generateKeyPairSync('ed25519').privateKey)
}

/** @param secret KEY_BYTES, as of {@link SigningKey} */
export function signingKeyFromSecret(secret: Uint8Array): SigningKey {
  const key = Buffer.concat([PKCS8_HEAD, secret])
  return signingKeyOf(createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
}

/** PKCS #8 in PEM (RFC 8410), as other tools write and read it. */
export function privateKeyText({ secret }: SigningKey): string {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, secret]), format: 'der', type: 'pkcs8' })
  return key.export({ format: 'pem', type: 'pkcs8' }).toString()
}

/** The inverse of {@link privateKeyText}. @param where names the place in errors @throws FleetstepError `key-invalid` */
export function parsePrivateKey(text: string, where: string): SigningKey {
  try {
    const key = createPrivateKey(text)
    if (key.asymmetricKeyType === 'ed25519') return signingKeyOf(key)
  } catch {
    // What cannot be read holds a secret perhaps: nothing of it is repeated.
  }
  throw new FleetstepError('key-invalid', `${where} holds no private key of Ed25519; restore it from its backup`)
}

/** Whether the owner of `publicKey` has signed `bytes`. False also for what is no key or no signature. */
export function verifySignature(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== ED25519_SIGNATURE_BYTES) return false
  return verifyBytes(null, bytes, publicKeyObject(publicKey), signature)
}

const ED25519_SIGNATURE_BYTES = 64

/** What stands before the 32 bytes of a key in DER: PrivateKeyInfo and SubjectPublicKeyInfo of RFC 8410. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')

/** Reading a key costs as much as a tenth of a verification, and the same few members speak all the time. */
const known = new Map<string, KeyObject>()

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const name = toHex(publicKey)
  const found = known.get(name)
  if (found !== undefined) return found
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, publicKey]), format: 'der', type: 'spki' })
  for (const oldest of known.keys()) {
    if (known.size < KNOWN_KEYS_MAX) break
    known.delete(oldest)
  }
  known.set(name, key)
  return key
}

function signingKeyOf(key: KeyObject): SigningKey {
  const publicDer = createPublicKey(key).export({ format: 'der', type: 'spki' })
  const privateDer = key.export({ format: 'der', type: 'pkcs8' })
  return {
    publicKey: new Uint8Array(publicDer.subarray(SPKI_HEAD.length)),
    secret: new Uint8Array(privateDer.subarray(PKCS8_HEAD.length)),
    sign: (bytes) => new Uint8Array(signBytes(null, bytes, key)),
  }
}
