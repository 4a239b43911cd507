"""What a step costs, by how many requests share it: measured at warm-up, asked by the scheduler."""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

# A batch is worth forming only while each further member costs this share less than a step alone.
_WORTHWHILE: Final = 0.05


@dataclass(frozen=True, slots=True)
class StepCosts:
    """Seconds of one step per bucket: `curves[bucket][n - 1]` with n requests in it.

    A bucket is what may step together: requests of one latent size.
    """

    curves: Mapping[Hashable, tuple[float, ...]]

    @classmethod
    def alike(cls, curve: tuple[float, ...]) -> "StepCosts":
        """Give every bucket one curve, measured where only one size is painted."""
        return cls(defaultdict(lambda: curve))

    def step_s(self, bucket: Hashable, members: int) -> float:
        """Give the seconds of a step with so many members; unmeasured sizes cost in proportion."""
        curve = self.curves[bucket]
        if members <= len(curve):
            return curve[members - 1]
        return curve[-1] * members / len(curve)

    def knee(self, bucket: Hashable, most: int) -> int:
        """Give the largest batch, at most `most`, whose last member still came cheaper than alone.

        Beyond it a batch only makes everybody in it wait for everybody.
        """
        curve = self.curves[bucket]
        best = 1
        for members in range(2, min(most, len(curve)) + 1):
            if curve[members - 1] / members > curve[best - 1] / best * (1 - _WORTHWHILE):
                break
            best = members
        return best
