import { CborReader } from '../base/cbor-reader.ts'
import { CborWriter } from '../base/cbor-writer.ts'
import { FRAME_BYTES_MAX } from '../base/limits.ts'
import { invalid } from './codec-fields.ts'

/**
 * COSE_Sign1 (RFC 9052, section 4.2) with EdDSA over Ed25519 (RFC 9053, section 2.2), of one form: the algorithm stands in the
 * protected header, nothing else in any, and no tag before it. What is not said in it is bound by external_aad.
 */
export interface Sign1 {
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

/** Bytes that an envelope adds, at most: heads, header, signature. */
export const SIGN1_BYTES = 80

export function encodeSign1({ payload, signature }: Sign1): Uint8Array {
  writer.reset()
  writer.list(4)
  writer.bytes(PROTECTED)
  writer.raw(EMPTY_MAP)
  writer.bytes(payload)
  writer.bytes(signature)
  return writer.take()
}

/** @throws FleetstepError `message-invalid` for any other form */
export function openSign1(bytes: Uint8Array, field: string): Sign1 {
  const reader = new CborReader(bytes)
  reader.list(field, 4, 4)
  if (reader.hex('protected header', PROTECTED.length) !== PROTECTED_HEX)
    throw invalid('protected header', 'does not say EdDSA alone')
  if (!reader.takeBeginning(EMPTY_MAP)) throw invalid('unprotected header', 'is not empty')
  const payload = reader.bytes(field, 1, FRAME_BYTES_MAX)
  const signature = reader.bytes('signature', ED25519_SIGNATURE_BYTES, ED25519_SIGNATURE_BYTES)
  reader.end(field)
  return { payload, signature }
}

/** Sig_structure (RFC 9052, section 4.4): what the signature is over. */
export function sign1Structure(payload: Uint8Array, externalAad: Uint8Array): Uint8Array {
  writer.reset()
  writer.list(4)
  writer.text('Signature1')
  writer.bytes(PROTECTED)
  writer.bytes(externalAad)
  writer.bytes(payload)
  return writer.take()
}

const ED25519_SIGNATURE_BYTES = 64

/** {1: -8}: alg is EdDSA. */
const PROTECTED: Uint8Array = Uint8Array.of(0xa1, 0x01, 0x27)
const PROTECTED_HEX = 'a10127'
const EMPTY_MAP: Uint8Array = Uint8Array.of(0xa0)

const writer = new CborWriter()
