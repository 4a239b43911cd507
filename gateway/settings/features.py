"""What a deployment offers beside try-ons: one table, which routes, document and health go by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from gateway.settings.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.settings.tree import Settings


class FeatureSettings(Section):
    """Optional capabilities; some need more than their switch, and health says what."""

    aliases: bool = Field(default=True, description="answer under the paths of older contracts")
    bodies: bool = Field(default=True, description="draw people who do not exist")
    garments: bool = Field(default=True, description="keep a catalogue of garments")
    person_analysis: bool = Field(default=True, description="tell what is understood of a photo")
    recommendations: bool = Field(default=True, description="recommend products; needs both keys")
    remote_engine: bool = Field(default=True, description="offer Pixazo's engine; needs its key")
    webhooks: bool = Field(default=True, description="tell endpoints of others about sessions")


@dataclass(frozen=True, slots=True)
class Feature:
    """An optional capability; `setting` is the first one that keeps it off, None when it is on."""

    setting: str | None

    @property
    def is_on(self) -> bool:
        """Whether callers can have it."""
        return self.setting is None


def delivers_webhooks(settings: Settings) -> bool:
    """Whether this gateway tells endpoints of others about sessions."""
    return settings.features.webhooks and settings.webhooks.is_running


def features(settings: Settings) -> Mapping[str, Feature]:
    """Every optional capability by name, as it is here."""
    recommending, remote = settings.recommendations, settings.pixazo
    needs = {
        "recommendations": {
            "recommendations.gemini.api_key": recommending.gemini.is_on,
            "recommendations.ebay.client_secret": recommending.ebay.is_on,
        },
        "remote_engine": {"pixazo.key": remote.is_on},
    }
    switched = {
        name: {f"features.{name}": is_on, **needs.get(name, {})}
        for name, is_on in settings.features
    }
    others = {
        "anonymous_visitors": {"identity.anonymous": settings.identity.anonymous},
        "api_docs": {"http.docs": settings.http.docs},
        "rollouts": {"rollout.model_store": settings.rollout.model_store is not None},
        "sign_in": {"supabase.url": settings.supabase.is_on},
        "stand_ins": {
            "recommendations.are_stand_ins": recommending.are_stand_ins or remote.is_stand_in
        },
    }
    return {
        name: Feature(next((setting for setting, is_on in needed.items() if not is_on), None))
        for name, needed in sorted((switched | others).items())
    }
