"""What a step costs, by how many requests share it: measured at warm-up, asked by the scheduler."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# A batch is worth forming only while each further member costs this share less than a step alone.
_WORTHWHILE: Final = 0.05


@dataclass(frozen=True, slots=True)
class StepCosts:
    """Seconds of one step per bucket: `curves[bucket][n - 1]` with n pictures in it.

    A bucket is what may step together: pictures of one model and one size.
    """

    curves: Mapping[Hashable, tuple[float, ...]]

    @classmethod
    def alike(cls, curve: tuple[float, ...]) -> "StepCosts":
        """Give every bucket one curve, measured where only one size is painted."""
        return cls(_Scaled(lambda _bucket: curve))

    @classmethod
    def by_area(cls, curve: tuple[float, ...], area: int, of: Callable[[Any], int]) -> "StepCosts":
        """Give every bucket the curve measured at `area`, in proportion to its own, `of` it."""
        return cls(_Scaled(lambda bucket: tuple(one * of(bucket) / area for one in curve)))

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


class _Scaled(dict[Hashable, tuple[float, ...]]):
    """Curves made when they are first asked for."""

    def __init__(self, make: Callable[[Any], tuple[float, ...]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, bucket: Hashable) -> tuple[float, ...]:
        return self.setdefault(bucket, self._make(bucket))


def pays(curve: Sequence[float], members: int) -> bool:
    """Say whether the last of so many members made a step cheaper for each, enough to matter."""
    before_s = curve[members - 2] / (members - 1)
    return curve[members - 1] / members <= before_s * (1 - _WORTHWHILE)
