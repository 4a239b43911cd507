"""What recommendations need from the world, as protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.domain.products import Product


class Stylist(Protocol):
    """Looks at pictures of a wardrobe, and says what would go with it."""

    async def keywords(self, collage: bytes) -> tuple[str, ...]:
        """Clean keywords for a JPEG, at least one.

        Raises GeminiFailed, TimedOut or Busy.
        """
        ...


class Shop(Protocol):
    """Sells clothes."""

    async def search(self, keyword: str, most: int) -> tuple[Product, ...]:
        """What there is for a keyword, the best first; raises EbayFailed, TimedOut or Busy."""
        ...


@dataclass(frozen=True, slots=True)
class Outsiders:
    """The services outside; None where the deployment has no key for one."""

    stylist: Stylist | None
    shop: Shop | None
