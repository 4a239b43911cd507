"""Receipts of what was erased: signed, so that nobody can forge one, and without a photo's trace.

The signature is Ed25519 (RFC 8032) over the receipt without it, as JSON with sorted keys and no
blanks. Whoever has the public key can check one; the key is derived from the deployment's secret.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

ALGORITHM: Final = "Ed25519"
_PURPOSE: Final = b"vton deletion receipts 1\n"
_KEY_ID_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased of a session, by kind, and how many workers were told to forget."""

    session_id: str
    at: float
    reason: str
    counts: Mapping[str, int]
    workers_told: int


class ReceiptKey:
    """What signs receipts; `secret` is the deployment's."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(sha256(_PURPOSE + secret).digest())
        self.public: Final = _text(self._key.public_key().public_bytes_raw())
        self.key_id: Final = key_id(self.public)

    def receipt(self, erased: Erased) -> dict[str, JsonValue]:
        """A signed receipt."""
        told: dict[str, JsonValue] = {
            "receipt_id": erased.session_id,
            "subject": "session",
            "erased_at": datetime.fromtimestamp(erased.at, UTC).isoformat(),
            "reason": erased.reason,
            "erased": dict(erased.counts),
            "workers_told": erased.workers_told,
            "algorithm": ALGORITHM,
            "key_id": self.key_id,
        }
        return {**told, "signature": _text(self._key.sign(_signed(told)))}


def is_genuine(receipt: Mapping[str, JsonValue], public: str) -> bool:
    """Whether the holder of the key has signed this receipt as it is; never raises."""
    told = {name: value for name, value in receipt.items() if name != "signature"}
    try:
        key = Ed25519PublicKey.from_public_bytes(_bytes(public))
        key.verify(_bytes(str(receipt.get("signature"))), _signed(told))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return told.get("algorithm") == ALGORITHM and told.get("key_id") == key_id(public)


def key_id(public: str) -> str:
    """A short name for a public key."""
    return sha256(public.encode()).hexdigest()[:_KEY_ID_CHARS]


def _signed(told: Mapping[str, JsonValue]) -> bytes:
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
