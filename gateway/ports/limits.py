"""What the limits need from the world, as protocols."""

from typing import Protocol

from gateway.domain.limits import Bucket, Spent


class Limiter(Protocol):
    """Where token buckets are."""

    async def spend(self, bucket: Bucket, tokens: int = 1) -> Spent:
        """Take tokens, unless there are too few: then none is taken."""
        ...
