"""Who asks, as far as fairness among callers needs to know; an identity will take its place."""

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Scope

_BYTES: Final = 12


def caller_of(scope: "Scope", salt: bytes) -> str:
    """A name for the caller of a request: the same for the same address while the salt lives.

    `salt` is at most 64 random bytes. The address itself cannot be told from the name.
    """
    client = scope.get("client")
    address = client[0] if client else ""
    return blake2b(address.encode(), key=salt, digest_size=_BYTES).hexdigest()
