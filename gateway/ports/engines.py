"""What an engine elsewhere needs of this gateway."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Lending(Protocol):
    """Pictures that somebody outside may fetch for a short while."""

    def lent(
        self, *pngs: bytes, place: str = "", stands: Callable[[], bool] = bool
    ) -> AbstractAsyncContextManager[tuple[str, ...]]:
        """Links to pictures (PNG) of ours, for the length of the block; raises StorageFailed.

        They lie in this place, and are erased with what else is there, should we die meanwhile, or
        should the block be cancelled while what they are lent for `stands`.
        """
        ...
