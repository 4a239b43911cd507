"""What the admin routes read and answer."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.domain.durations import DAY_S
from gateway.domain.rollouts import Rollout, RolloutState
from gateway.domain.versions import Tally
from gateway.schemas.requests import Strict
from gateway.services.rollouts import Version


class RolloutBody(Strict):
    """Which version is to serve: named by itself or by its archive."""

    version: Annotated[str, StringConstraints(pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")] | None = (
        Field(default=None, description="MAJOR.MINOR.PATCH; the model store has its archive")
    )
    archive: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._-]{0,127}\.mar$")] | None
    ) = Field(default=None, description="instead of a version: a file of the model store")
    share: float = Field(
        default=0.0, ge=0, lt=1, allow_inf_nan=False, description="of the requests, to try it first"
    )
    canary_s: float | None = Field(
        default=None,
        gt=0,
        le=DAY_S,
        allow_inf_nan=False,
        description="how long they try it; the deployment's own when absent",
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.version is None) == (self.archive is None):
            raise ValueError("name either a version or an archive")
        return self


class CountsResponse(Strict):
    """What became of a version's requests during this rollout, or since the last one."""

    answered: int
    failed: int = Field(description="through the version's fault; asked again elsewhere")
    refused: int = Field(description="whose pictures it could not use")
    median_s: float | None
    p90_s: float | None

    @classmethod
    def of(cls, tally: Tally) -> Self:
        """Tell a tally."""
        return cls(
            answered=tally.answered,
            failed=tally.failed,
            refused=tally.refused,
            median_s=tally.median_s,
            p90_s=tally.p90_s,
        )


class VersionResponse(Strict):
    """A version as the model server has it, and what this gateway sends there."""

    version: str
    is_default: bool = Field(description="serves whatever names no version")
    archive: str
    ready_workers: int
    workers: int
    memory_bytes: int
    share: float = Field(description="of this gateway's requests")
    in_flight: int = Field(description="requests of this gateway")
    waiting: int = Field(description="requests in the model server's queue")
    requests: CountsResponse

    @classmethod
    def of(cls, version: Version) -> Self:
        """Tell a version."""
        one = version.registered
        return cls(
            version=one.version,
            is_default=one.is_default,
            archive=one.archive,
            ready_workers=one.state.ready_workers,
            workers=one.state.workers,
            memory_bytes=one.state.memory_bytes,
            share=version.share,
            in_flight=version.in_flight,
            waiting=one.waiting,
            requests=CountsResponse.of(version.tally),
        )


class VersionsResponse(Strict):
    """Every version of a model, the default one first."""

    model: str
    versions: list[VersionResponse]
    rollout_id: str | None = Field(description="the rollout under way")


class EventResponse(Strict):
    """Something that happened during a rollout."""

    state: RolloutState
    at: datetime
    message: str


class ReasonResponse(Strict):
    """Why a rollout did not go through."""

    code: str
    message: str


class RolloutResponse(Strict):
    """A rollout, as far as it has come."""

    rollout_id: str
    model: str
    version: str
    archive: str
    previous: list[str] = Field(description="the versions it takes the place of")
    share: float
    canary_s: float
    state: RolloutState
    reason: ReasonResponse | None
    history: list[EventResponse]

    @classmethod
    def of(cls, rollout: Rollout) -> Self:
        """Tell a rollout."""
        reason = rollout.reason
        return cls(
            rollout_id=rollout.rollout_id,
            model=rollout.model,
            version=rollout.version,
            archive=rollout.wish.archive.file,
            previous=list(rollout.previous),
            share=rollout.wish.share,
            canary_s=rollout.wish.canary_s,
            state=rollout.state,
            reason=None
            if reason is None
            else ReasonResponse(code=reason.code, message=reason.message),
            history=[
                EventResponse(
                    state=one.state, at=datetime.fromtimestamp(one.at_s, UTC), message=one.message
                )
                for one in rollout.history
            ],
        )
