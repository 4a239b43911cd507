"""What the limits need from the world, as protocols."""

from typing import Protocol

from gateway.domain.limits import Bucket, Spent


class Purse(Protocol):
    """What API keys have cost; everything raises DatabaseFailed."""

    async def spent_s(self, key_id: str) -> float:
        """The GPU seconds that a key has cost today, by this moment."""
        ...

    async def charge(self, key_id: str, gpu_s: float) -> None:
        """Add to them, whoever else does so at the same time."""
        ...


class Limiter(Protocol):
    """Where token buckets are."""

    async def spend(self, bucket: Bucket, tokens: int = 1) -> Spent:
        """Take tokens, unless there are too few: then none is taken."""
        ...
