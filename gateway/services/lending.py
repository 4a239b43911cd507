"""Photos that an engine elsewhere may fetch by signed links, for minutes, and then no more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from gateway.domain.names import TOKEN_BYTES, Folder, Keeping, ObjectName
from gateway.domain.signatures import signed_path
from gateway.domain.uploads import ImageType
from gateway.errors.kinds import GatewayError
from gateway.ports.clock import Clock
from gateway.ports.storage import ObjectStore
from gateway.services.results import PATH, LinkRules


class LendingService:
    """Implements the Lending port."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        randomness: Callable[[int], bytes],
        link_rules: LinkRules,
        ttl_s: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._link_rules = link_rules
        self._ttl_s = ttl_s

    @asynccontextmanager
    async def lent(
        self, *pngs: bytes, place: str = "", stands: Callable[[], bool] = bool
    ) -> AsyncIterator[tuple[str, ...]]:
        """Links to these pictures; after the block there is nothing behind them.

        A session's lie in its place: should this gateway die, they are erased with the session, and
        so they are where the block is cancelled and what they are lent for still stands.
        """
        expires_at, rules = int(self._clock.now()) + self._ttl_s, self._link_rules
        kept = Keeping(expires_at, place)
        names = [ObjectName.new(kept, self._randomness(TOKEN_BYTES), "png") for _ in pngs]
        is_left = False
        try:
            for name, png in zip(names, pngs, strict=True):
                await self._store.put(name.key(Folder.RESULTS), png, ImageType.PNG.media_type)
            yield tuple(
                rules.public_url + signed_path(rules.secret, f"{PATH}{name}", expires_at)
                for name in names
            )
        except asyncio.CancelledError:
            is_left = bool(place) and stands()
            raise
        finally:
            if not is_left:
                await asyncio.gather(*map(self._take_back, names))

    async def _take_back(self, name: ObjectName) -> None:
        """Erase what was lent; what fails goes with its place, or at its expiry."""
        try:
            await self._store.delete(name.key(Folder.RESULTS))
        except GatewayError as error:
            log = structlog.get_logger(__name__)
            log.warning("a lent photo is left", error_code=error.code)
