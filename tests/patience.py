"""How long tests wait for what must come: an end to hanging, and no judgement of any machine."""

from typing import Final

PATIENCE_S: Final = 240.0
"""Seconds; below the limit that pytest sets a whole test, so that what is waited for is named."""
