"""Names for stored objects: our own, unguessable, and carrying their own expiry.

`results/69209f80-3q2-7wAAAAAAAAAAAAAAAA.jpg`: hexadecimal Unix seconds of the expiry, 128 random
bits, the extension. Whoever lists a folder knows what has to be erased, without a database. What
is a session's lies in a folder of its own below that, `results/<session>/…`, and what somebody
uploaded who can be recognised, in his, `uploads/of-<digest>/…`.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final

TOKEN_BYTES: Final = 16
_PLACE_BYTES: Final = 16
_SESSION: Final = re.compile(r"[0-9a-f]{16,64}", re.ASCII)
_NAME: Final = re.compile(
    rf"(?:(?P<place>{_SESSION.pattern}|of-[0-9a-f]{{{2 * _PLACE_BYTES}}})/)?"
    r"(?P<expires>[0-9a-f]{8})-(?P<token>[A-Za-z0-9_-]{22})(?:\.(?P<extension>jpg|png|webp))?",
    re.ASCII,
)


class Folder(StrEnum):
    """The kinds of object the store holds."""

    RESULTS = "results"
    UPLOADS = "uploads"


@dataclass(frozen=True, slots=True)
class Keeping:
    """Until when (Unix seconds) something is kept, and whose it is: empty where nobody's."""

    expires_at: float
    place: str = ""


@dataclass(frozen=True, slots=True)
class ObjectName:
    """The name of one object within its folder; `place` is the part of it that is somebody's."""

    expires_at: int
    token: str
    extension: str = ""
    place: str = ""

    @classmethod
    def new(cls, keeping: Keeping, randomness: bytes, extension: str = "") -> ObjectName:
        """Name an object that is kept so long by 16 random bytes."""
        token = urlsafe_b64encode(randomness[:TOKEN_BYTES]).rstrip(b"=").decode("ascii")
        return cls(int(keeping.expires_at), token, extension, keeping.place)

    @classmethod
    def parse(cls, text: str) -> ObjectName | None:
        """Read a name back; None for anything that is not one of ours."""
        match = _NAME.fullmatch(text)
        if match is None:
            return None
        extension, place = match["extension"] or "", match["place"] or ""
        return cls(int(match["expires"], 16), match["token"], extension, place)

    def __str__(self) -> str:
        prefix = f"{self.place}/" if self.place else ""
        suffix = f".{self.extension}" if self.extension else ""
        return f"{prefix}{self.expires_at:08x}-{self.token}{suffix}"

    def key(self, folder: Folder) -> str:
        """The object's key in the store."""
        return f"{folder}/{self}"

    def has_expired(self, now: float) -> bool:
        """Whether the object must be treated as gone at `now` (Unix seconds)."""
        return now >= self.expires_at


def expiry_of(key: str) -> int | None:
    """The expiry (Unix seconds) that a store key carries; None for a key that is not ours."""
    name = ObjectName.parse(key.partition("/")[2])
    return None if name is None else name.expires_at


def session_of(key: str) -> str | None:
    """The session whose object a store key names, if it is one's."""
    return session_of_name(key.partition("/")[2])


def session_of_name(text: str) -> str | None:
    """The session whose object this name, without its folder, is; if it is one's."""
    name = ObjectName.parse(text)
    return name.place if name is not None and _SESSION.fullmatch(name.place) else None


def place_of(owner: str) -> str:
    """Where an owner's uploads lie; the owner cannot be told from it."""
    return f"of-{blake2b(owner.encode(), digest_size=_PLACE_BYTES).hexdigest()}"
