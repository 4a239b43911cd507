"""How urgent a request is, and what its caller would take instead of a refusal.

None of it changes a finished picture, so none of it is part of what a request is: two that differ
here alone are the same request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from gateway.domain.sessions import Kind

OPTIONS: Final = frozenset({"deadline_s", "least_steps", "preview_every"})
"""Options that only an engine honours whose requests share their steps."""

_SOONEST_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the worker's scheduler is told.

    `within_s` is how many seconds the caller would wait, and `least_steps` how few steps would do
    rather than none; `preview_every` so many steps a preview is wanted. `user` tells one caller
    from another and is nobody's name; `kind` is its urgency by nature. What is None is left to the
    worker.
    """

    user: str | None = None
    kind: Kind | None = None
    within_s: float | None = None
    least_steps: int | None = None
    preview_every: int | None = None

    @classmethod
    def of(cls, options: Mapping[str, JsonValue]) -> Schedule:
        """Read the options that are checked already."""
        within_s = options.get("deadline_s")
        least, every = options.get("least_steps"), options.get("preview_every")
        return cls(
            within_s=float(within_s) if isinstance(within_s, int | float) else None,
            least_steps=least if isinstance(least, int) else None,
            preview_every=every if isinstance(every, int) else None,
        )

    @property
    def promise(self) -> str:
        """What differs between two who may not share one inference: what each was promised."""
        return f"{self.within_s}/{self.least_steps}"

    def asked_by(self, user: str, kind: Kind | None = None) -> Schedule:
        """The same for a caller."""
        return replace(self, user=user, kind=kind)

    def after(self, elapsed_s: float) -> Schedule:
        """What is left of it some seconds later; a time that is over is as short as can be."""
        if self.within_s is None:
            return self
        return replace(self, within_s=max(self.within_s - elapsed_s, _SOONEST_S))

    def wire(self) -> dict[str, JsonValue]:
        """As the worker reads it."""
        said: dict[str, JsonValue] = {
            "user": self.user,
            "kind": self.kind,
            "within_s": self.within_s,
            "least_steps": self.least_steps,
            "preview_every": self.preview_every,
        }
        return {name: value for name, value in said.items() if value is not None}


UNHURRIED: Final = Schedule()
"""Whenever it is done."""
