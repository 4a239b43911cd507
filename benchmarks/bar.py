"""The bar: which mean score is good enough, read from `config/quality.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold and the side on which it is passed."""

    value: float
    up: bool  # whether more is better

    def met_by(self, measured: float | None) -> bool:
        """Whether a mean passes; a number that could not be measured does not fail."""
        if measured is None:
            return True
        return measured >= self.value if self.up else measured <= self.value

    def __str__(self) -> str:
        """As it stands in the table."""
        return f"{'>=' if self.up else '<='}{self.value:g}"


@dataclass(frozen=True, slots=True)
class Bar:
    """Limits by metric, and recorded means of earlier engines."""

    limits: Mapping[str, Limit]
    references: Mapping[str, Mapping[str, float]]

    def missed(self, means: Mapping[str, float | None]) -> list[str]:
        """The metrics whose mean does not pass."""
        return [name for name, limit in self.limits.items() if not limit.met_by(means[name])]


def read(path: Path) -> Bar:
    """Read limits and references; raises `KeyError` for a limit without a side."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Bar(
        limits={name: _limit(entry) for name, entry in content["bar"].items()},
        references=content["references"],
    )


def _limit(entry: Mapping[str, float]) -> Limit:
    if "at_least" in entry:
        return Limit(entry["at_least"], up=True)
    return Limit(entry["at_most"], up=False)
