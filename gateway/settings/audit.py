"""The settings of the audit."""

from pydantic import BaseModel, ConfigDict, Field

from gateway.domain.durations import DAY_S


class AuditSettings(BaseModel):
    """The lines that say who did what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    retention_s: int = Field(
        default=90 * DAY_S, gt=0, description="age at which audit lines and receipts are erased"
    )
    refusals_per_min: int = Field(
        default=100, ge=1, description="rows a minute at most that tell of who was not let in"
    )
