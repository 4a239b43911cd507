"""What only the holder of a secret can read: AES-GCM under a key made of the secret."""

import os
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


def name_of(secret: str) -> str:
    """A name (64 hexadecimal digits) for a random secret that does not tell it."""
    return sha256(b"name\n" + secret.encode()).hexdigest()


def seal(secret: str, text: bytes) -> bytes:
    """Close a text; whoever knows the secret's name alone cannot open it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret)).encrypt(nonce, text, None)


def unseal(secret: str, sealed: bytes) -> bytes | None:
    """Open it; None if it was closed with another secret, or changed."""
    try:
        return AESGCM(_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        return None


def _key(secret: str) -> bytes:
    return sha256(b"seal\n" + secret.encode()).digest()
