"""Names for stored objects: our own, unguessable, and carrying their own expiry.

`results/69209f80-3q2-7wAAAAAAAAAAAAAAAA.jpg`: hexadecimal Unix seconds of the expiry, 128 random
bits, the extension. Whoever lists a folder knows what has to be erased, without a database.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TOKEN_BYTES: Final = 16
_NAME: Final = re.compile(
    r"(?P<expires>[0-9a-f]{8})-(?P<token>[A-Za-z0-9_-]{22})(?:\.(?P<extension>jpg|png|webp))?",
    re.ASCII,
)


class Folder(StrEnum):
    """The kinds of object the store holds."""

    RESULTS = "results"
    UPLOADS = "uploads"


@dataclass(frozen=True, slots=True)
class ObjectName:
    """The name of one object within its folder."""

    expires_at: int
    token: str
    extension: str = ""

    @classmethod
    def new(cls, expires_at: float, randomness: bytes, extension: str = "") -> ObjectName:
        """Name an object that lives until `expires_at` (Unix seconds) by 16 random bytes."""
        token = urlsafe_b64encode(randomness[:TOKEN_BYTES]).rstrip(b"=").decode("ascii")
        return cls(int(expires_at), token, extension)

    @classmethod
    def parse(cls, text: str) -> ObjectName | None:
        """Read a name back; None for anything that is not one of ours."""
        match = _NAME.fullmatch(text)
        if match is None:
            return None
        return cls(int(match["expires"], 16), match["token"], match["extension"] or "")

    def __str__(self) -> str:
        suffix = f".{self.extension}" if self.extension else ""
        return f"{self.expires_at:08x}-{self.token}{suffix}"

    def key(self, folder: Folder) -> str:
        """The object's key in the store."""
        return f"{folder}/{self}"

    def has_expired(self, now: float) -> bool:
        """Whether the object must be treated as gone at `now` (Unix seconds)."""
        return now >= self.expires_at


def expiry_of(key: str) -> int | None:
    """The expiry (Unix seconds) that a store key carries; None for a key that is not ours."""
    name = ObjectName.parse(key.rpartition("/")[2])
    return None if name is None else name.expires_at
