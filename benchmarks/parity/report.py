"""What a comparison with a golden comes to, and how it is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Compared:
    """One golden: how far ours is from it, how far it may be, and what the numbers measure."""

    golden: str
    difference: float
    tolerance: float
    measure: str

    @property
    def holds(self) -> bool:
        """Whether ours is near enough; a difference that is no number is not."""
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        verdict = "ok  " if self.holds else "OVER"
        numbers = f"{self.difference:9.3g} of {self.tolerance:7.2g} {self.measure}"
        return f"{verdict} {self.golden:56} {numbers}"


def relative_l2(golden: str, ours: ArrayLike, theirs: ArrayLike, tolerance: float) -> Compared:
    """Compare two tensors of equal shape by the norm of their difference over the golden's."""
    mine, expected = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    measure = "relative L2"
    if mine.shape != expected.shape:
        return Compared(golden, np.inf, tolerance, f"shape {mine.shape}, not {expected.shape}")
    scale = float(np.linalg.norm(expected)) or 1.0
    return Compared(golden, float(np.linalg.norm(mine - expected)) / scale, tolerance, measure)


def largest(golden: str, ours: ArrayLike, theirs: ArrayLike, tolerance: float) -> Compared:
    """Compare two arrays of equal shape by their largest difference."""
    mine, expected = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if mine.shape != expected.shape:
        return Compared(golden, np.inf, tolerance, f"shape {mine.shape}, not {expected.shape}")
    return Compared(
        golden, float(np.abs(mine - expected).max(initial=0)), tolerance, "largest difference"
    )


def guarded(part: str, compared: Iterable[Compared]) -> Iterator[Compared]:
    """Yield what a part compares; one that breaks off is a difference, not an end of the report."""
    try:
        yield from compared
    except Exception as fault:  # noqa: BLE001  the other parts still have something to say
        yield Compared(f"{part}: {type(fault).__name__}: {fault}", np.inf, 0.0, "broke off")
