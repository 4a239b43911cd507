"""What a step costs, by how many requests share it: measured at warm-up, asked by the scheduler."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
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
        curve = self.curves[bucket][:most]
        members = 1
        while members < len(curve) and pays(curve, members + 1):
            members += 1
        return members


def pays(curve: Sequence[float], members: int) -> bool:
    """Say whether the last of so many members made a step cheaper for each, enough to matter."""
    before_s = curve[members - 2] / (members - 1)
    return curve[members - 1] / members <= before_s * (1 - _WORTHWHILE)
