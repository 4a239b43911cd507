"""The settings of the audit."""

from pydantic import Field

from gateway.domain.durations import DAY_S
from gateway.settings.section import Section


class AuditSettings(Section):
    """The lines that say who did what."""

    retention_s: int = Field(
        default=90 * DAY_S, gt=0, description="age at which audit lines and receipts are erased"
    )
    refusals_per_min: int = Field(
        default=100, ge=1, description="rows a minute at most that tell of who was not let in"
    )
