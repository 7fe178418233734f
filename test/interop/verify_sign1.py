"""Verifies COSE_Sign1 of RFC 9052 with other libraries than ours: lines of key, external_aad and message in hexadecimal in,
one line true or false each out."""

import sys

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def is_signed(key, bound, message):
    protected, unprotected, payload, signature = cbor2.loads(message)
    assert cbor2.loads(protected) == {1: -8} and unprotected == {}
    try:
        structure = cbor2.dumps(["Signature1", protected, bound, payload])
        Ed25519PublicKey.from_public_bytes(key).verify(signature, structure)
        return True
    except InvalidSignature:
        return False


for line in sys.stdin:
    print("true" if is_signed(*(bytes.fromhex(part) for part in line.split())) else "false")
