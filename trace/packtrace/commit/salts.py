"""Salts from one 32-byte secret per event: a seekable stream (AES-256 in counter mode), nothing stored per item.

Salt i is the keystream's 16 bytes at i·16, so all of a million take milliseconds and one takes microseconds. Salts that
are disclosed tell nothing about the others. Items and header fields use keys of their own, derived from the secret.
"""

import hmac
import secrets

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

SALT_BYTES = 16
SECRET_BYTES = 32
ITEMS = b"packtrace/salts/items/v1"
FIELDS = b"packtrace/salts/fields/v1"


def new_secret() -> bytes:
    """A fresh secret for one event."""
    return secrets.token_bytes(SECRET_BYTES)


def salts(secret: bytes, purpose: bytes, start: int, count: int) -> bytes:
    """`count` salts from number `start` on, one after the other: 16·count bytes."""
    key = hmac.digest(secret, purpose, "sha256")
    stream = Cipher(algorithms.AES(key), modes.CTR(start.to_bytes(16, "big"))).encryptor()
    return stream.update(bytes(SALT_BYTES * count))
