"""Switches of a whole deployment, by environment variables that workers read, too."""

import os
from typing import Final

from handlers.settings import BadSetting

_ON: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_OFF: Final = frozenset({"0", "false", "f", "no", "n", "off"})


def is_on(variable: str) -> bool:
    """Whether a variable is true; unset is false. Raises BadSetting where it is neither."""
    word = os.environ.get(variable, "false").strip().lower()
    if word not in _ON | _OFF:
        raise BadSetting(f"{variable}: expected true or false")
    return word in _ON
