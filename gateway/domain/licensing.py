"""Which engines a deployment may use: every one, or only what is for commercial use."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.domain.options import Engine
from gateway.domain.terms import Part
from gateway.errors.kinds import NotLicensed


@dataclass(frozen=True, slots=True)
class Licensing:
    """What the deployment said of its purpose."""

    commercial_only: bool

    def hindrance(self, engine: Engine) -> Part | None:
        """What keeps an engine from being used here: itself, or the first of its parts."""
        if not self.commercial_only:
            return None
        return next((one for one in engine.terms if not one.commercial_use), None)

    def reason(self, engine: Engine) -> str | None:
        """Why an engine may not be used here; None where it may."""
        found = self.hindrance(engine)
        return None if found is None else found.reason(engine.name)

    def admit(self, engine: Engine) -> None:
        """Let an engine be asked, or raise NotLicensed by name and licence."""
        found = self.hindrance(engine)
        if found is None:
            return
        reason = found.reason(engine.name)
        raise NotLicensed(
            f"This deployment serves commercial use alone, and {reason}.",
            details={
                "engine": engine.name,
                "part": found.part,
                "model": found.model,
                "licence": found.licence,
            },
        )
