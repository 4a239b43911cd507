"""The settings of whoever runs the deployment: who may, and how versions are rolled."""

from pathlib import Path

from pydantic import Field, SecretStr

from gateway.settings.section import Section


class AdminSettings(Section):
    """Who may change what is served."""

    token: SecretStr | None = Field(
        default=None, description="bearer token of the admin routes; none: no such routes (secret)"
    )


class RolloutSettings(Section):
    """How a new version of a model takes the place of the old one."""

    model_store: Path | None = Field(
        default=None, description="folder of archives that TorchServe loads from; none: no rollouts"
    )
    canary_s: float = Field(
        default=60.0, gt=0, description="how long a share tries a version, if nothing else is asked"
    )
    requests: int = Field(
        default=20, ge=1, description="requests to a version from which its numbers mean something"
    )
    error_rise: float = Field(
        default=0.05, ge=0, le=1, description="failed share beyond the old version's; more: back"
    )
    refusal_rise: float = Field(
        default=0.2, ge=0, le=1, description="declined share beyond the old version's; more: back"
    )
    slowdown: float = Field(
        default=1.5, ge=1, description="median duration over the old version's; more: back"
    )
    gateways: int = Field(
        default=1, ge=1, description="gateways before this model server; draining waits for all"
    )
    drain_s: float = Field(
        default=0.0, ge=0, description="longest wait for the old version; 0: as its deadline says"
    )
    look_s: float = Field(
        default=0.5, gt=0, description="pause between two looks at the model server"
    )
