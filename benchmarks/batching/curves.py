"""What a step costs on a device that is not here, by how many requests share it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

ALONE_MS: Final = 22.0
"""A step alone, of any curve: an H200's, for try-ons in 768x1024 with a garment at hand."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The cost of a step by company; `shares` gives, per size, what one of so many pays.

    A share of 1 is a step alone; sizes between are interpolated, beyond the last they cost as it.
    """

    shares: tuple[tuple[int, float], ...]

    def seconds(self, members: int) -> float:
        """Give the seconds of a step with so many members."""
        return members * self._share(members) * ALONE_MS / 1000

    def _share(self, members: int) -> float:
        for (few, before), (many, after) in zip(self.shares, self.shares[1:], strict=False):
            if members <= many:
                return before + (after - before) * (members - few) / (many - few)
        return self.shares[-1][1]

    def __str__(self) -> str:
        """The curve in words, as the report states it."""
        told = (f"{members}: {self.seconds(members) * 1000:.1f} ms" for members in (1, 2, 4, 8))
        return f"one step of {', of '.join(told)}"


CURVES: Final[Mapping[str, Curve]] = MappingProxyType({
    # Computed from the network's operations; a batch of one fills these cards almost.
    "h200": Curve(((1, 1.0), (4, 0.97), (8, 0.955))),
    "a100": Curve(((1, 1.0), (4, 0.878), (8, 0.84))),
    "l4": Curve(((1, 1.0), (4, 0.872), (8, 0.853))),
    # What batching is hoped to be: company costs nothing.
    "free": Curve(tuple((members, 1 / members) for members in range(1, 9))),
})  # fmt: skip
