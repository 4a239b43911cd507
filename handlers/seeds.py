"""The seeds of several pictures of one request."""

import secrets
from typing import Final

_BITS: Final = 31


def consecutive(seed: int | None, count: int) -> list[int]:
    """Give `seed` and those that follow it, so that each picture can be had again alone.

    Without a seed a random one below 2**31 is drawn.
    """
    first = secrets.randbits(_BITS) if seed is None else seed
    return [first + number for number in range(count)]
