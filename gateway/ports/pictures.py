"""What is needed of the world to work on pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.domain.collage import SheetRules
from gateway.domain.images import Picture
from gateway.domain.uploads import Upload


class PictureDecoder(Protocol):
    """Works on pictures beside the event loop, a bounded number at a time."""

    async def photo(self, upload: Upload, keep: Callable[[bytes], None] | None = None) -> Picture:
        """Normalise a photo, and `keep` its PNG in the same visit of a thread.

        Raises what `domain.images.normalise` and `keep` raise, or Busy. What is to be kept is kept,
        or not, before anybody hears that it was cancelled.
        """
        ...

    async def mask(self, upload: Upload, person: Picture) -> Picture:
        """Normalise a mask; raises what `domain.images.normalise_mask` raises, or Busy."""
        ...

    async def collage(
        self, pictures: Sequence[Picture], labels: Sequence[str], rules: SheetRules
    ) -> bytes:
        """Draw all pictures on one JPEG, each under its label; raises Busy."""
        ...

    async def suggestions(self, pictures: Sequence[Picture]) -> tuple[str, ...]:
        """Keywords for what goes with the colours of pictures; raises Busy."""
        ...
