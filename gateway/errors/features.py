"""What is refused because this deployment does not offer it."""

from __future__ import annotations

from gateway.errors.codes import ErrorCode
from gateway.errors.kinds import GatewayError


class SwitchedOff(GatewayError):
    """An optional capability is off here; `details` name it, and /health lists them all."""

    code = ErrorCode.SWITCHED_OFF
    default_message = "This deployment does not offer this."

    @classmethod
    def of(cls, feature: str) -> SwitchedOff:
        """Build the error for a feature."""
        return cls(details={"feature": feature, "reason": "switched_off"})
