"""The numbers behind /metrics, in a registry of their own."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from pydantic import JsonValue

_BUCKETS_S: Final = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.2,
    0.4,
    0.8,
    1.2,
    2,
    4,
    8,
    15,
    30,
    60,
    120,
    300,
    600,
)

_CIRCUITS: Final = ("closed", "half-open", "open")


class Metrics:
    """Every metric of the gateway; names and labels are part of the product."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        seconds = partial(Histogram, registry=registry, buckets=_BUCKETS_S)

        route = ("method", "route")
        self.requests = counter("vton_http_requests", "Requests answered.", (*route, "status"))
        self.latency_s = seconds("vton_http_request_seconds", "Time to the last byte.", route)
        self.errors = counter("vton_errors", "Error answers by code.", ("error_code",))

        self.inference_s = seconds(
            "vton_inference_seconds", "Time of an engine, retries included.", ("engine", "outcome")
        )
        self.stage_s = seconds(
            "vton_stage_seconds", "Time per stage, as the worker reports it.", ("engine", "stage")
        )
        self.worker_cache = counter(
            "vton_worker_cache", "Intermediates a worker reused.", ("engine", "part", "outcome")
        )
        self.retries = counter("vton_model_retries", "Inferences asked again.", ("reason",))
        self.ready = gauge("vton_engine_ready", "1 while a worker is ready.", ("engine",))

        self.version_requests = counter(
            "vton_version_requests", "Attempts by version.", ("model", "version", "outcome")
        )
        self.rollouts = counter("vton_rollouts", "Rollouts that ended.", ("model", "outcome"))

        self.fallbacks = counter(
            "vton_fallbacks", "Served by another engine.", ("asked", "engine", "reason")
        )
        self.circuits = gauge(
            "vton_circuit_state", "0: calls go through, 1: one tries, 2: none.", ("service",)
        )
        self.limited = counter("vton_rate_limit_violations", "Requests over a limit.", ("limit",))
        self.limits_alone = counter(
            "vton_limits_alone", "Decisions made while the shared Redis was away."
        )
        self.in_flight = gauge("vton_tryons_in_flight", "Try-ons and analyses being served.")
        self.watchers = gauge("vton_session_watchers", "Streams and sockets that watch sessions.")
        self.memo = counter(
            "vton_result_cache", "Repeats answered from store, or joined under way.", ("outcome",)
        )
        self.recommendations = counter(
            "vton_recommendations", "Recommendations by what became of them.", ("outcome",)
        )
        self.session_items = counter(
            "vton_session_items", "Items of sessions by what became of them.", ("engine", "outcome")
        )
        self.session_queue = gauge("vton_session_queue", "Open items of sessions.", ("state",))
        self.sessions_erased = counter(
            "vton_sessions_erased", "Sessions erased with all that is theirs.", ("reason",)
        )
        self.erasing_runs = counter("vton_erasing_runs", "Runs of the erasing job.")
        self.erasing_overdue = gauge("vton_erasing_overdue", "Sessions that are to be erased.")
        self.erasing_oldest_s = gauge(
            "vton_erasing_oldest_seconds", "For how long the oldest of them is over."
        )
        self.erased = counter("vton_objects_erased", "Expired objects erased.", ("folder",))

    def observe_circuit(self, service: str, state: str) -> None:
        """Note the state that the circuit to an outside service has come to."""
        self.circuits.labels(service).set(_CIRCUITS.index(state))

    def observe_worker(self, engine: str, metadata: Mapping[str, JsonValue]) -> None:
        """Count what a worker reports: time per stage, and what it found in its cache."""
        stages, cache = metadata.get("stage_ms"), metadata.get("cache")
        for stage, duration_ms in (stages if isinstance(stages, dict) else {}).items():
            if isinstance(duration_ms, int | float):
                self.stage_s.labels(engine, stage).observe(duration_ms / 1000)
        for part, outcome in (cache if isinstance(cache, dict) else {}).items():
            self.worker_cache.labels(engine, part, str(outcome)).inc()

    def render(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
