"""What an id may look like that a path names, whatever it is the id of."""

import re
from typing import Final

PATTERN: Final = "^[A-Za-z0-9_-]{1,64}$"
"""Every id that is given out fits it; each kind has a narrower form of its own."""

_ID: Final = re.compile(PATTERN, re.ASCII)


def is_id(text: str) -> bool:
    """Whether something may have been named so."""
    return _ID.fullmatch(text) is not None
