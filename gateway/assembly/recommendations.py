"""Puts together what recommends; the services outside are chosen in `resources`."""

from gateway.domain.collage import SheetRules
from gateway.metrics import Metrics
from gateway.ports.clock import Clock
from gateway.ports.recommendations import Outsiders
from gateway.services.pictures import PictureService
from gateway.services.recommendations import RecommendationRules, RecommendationService
from gateway.settings.recommendations import RecommendationSettings


def recommendation_service(
    outsiders: Outsiders,
    pictures: PictureService,
    told: RecommendationSettings,
    clock: Clock,
    metrics: Metrics,
) -> RecommendationService:
    """What recommends, by the settings."""
    rules = RecommendationRules(
        weights=told.weights,
        sheet=SheetRules(side_px=told.collage_side_px),
        max_searches=told.max_searches,
        fresh_s=told.fresh_s,
        stale_s=told.stale_s,
        entries=told.entries,
    )
    return RecommendationService(outsiders, pictures, rules, clock, metrics)
