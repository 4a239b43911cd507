"""Photos that an engine elsewhere may fetch by signed links, for minutes, and then no more."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.domain.names import TOKEN_BYTES, Folder, Keeping, ObjectName
from gateway.domain.signatures import signed_path
from gateway.domain.uploads import ImageType
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
    async def lent(self, *pngs: bytes) -> AsyncIterator[tuple[str, ...]]:
        """Links to these pictures; after the block there is nothing behind them."""
        expires_at, rules = int(self._clock.now()) + self._ttl_s, self._link_rules
        kept = Keeping(expires_at)
        names = [ObjectName.new(kept, self._randomness(TOKEN_BYTES), "png") for _ in pngs]
        try:
            for name, png in zip(names, pngs, strict=True):
                await self._store.put(name.key(Folder.RESULTS), png, ImageType.PNG.media_type)
            yield tuple(
                rules.public_url + signed_path(rules.secret, f"{PATH}{name}", expires_at)
                for name in names
            )
        finally:
            for name in names:
                await self._store.delete(name.key(Folder.RESULTS))
