"""What a comparison with a golden comes to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Compared:
    """One golden: how far ours is from it, how far it may be, and what the numbers measure."""

    golden: str
    difference: float
    tolerance: float
    measure: str
