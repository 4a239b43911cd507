"""Lengths of time that nobody sets."""

from typing import Final

DAY_S: Final = 86_400
