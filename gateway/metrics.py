"""The numbers behind /metrics, in a registry of their own."""

from collections.abc import Mapping
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

_REQUEST_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_INFERENCE_BUCKETS_S: Final = (0.1, 0.2, 0.4, 0.8, 1.2, 2, 4, 8, 15, 30, 60)


class Metrics:
    """Every metric of the gateway; names and labels are part of the product."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests = Counter(
            "vton_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.latency_s = Histogram(
            "vton_http_request_seconds",
            "Time from the first byte in to the last byte out.",
            ("method", "route"),
            buckets=_REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self.errors = Counter(
            "vton_errors", "Error answers by code.", ("error_code",), registry=self.registry
        )
        self.inference_s = Histogram(
            "vton_inference_seconds",
            "Time an engine took, queue and retries included.",
            ("engine", "outcome"),
            buckets=_INFERENCE_BUCKETS_S,
            registry=self.registry,
        )
        self.stage_s = Histogram(
            "vton_stage_seconds",
            "Time per stage, as the worker reports it.",
            ("engine", "stage"),
            buckets=_INFERENCE_BUCKETS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "vton_tryons_in_flight", "Try-ons being served.", registry=self.registry
        )
        self.memo = Counter(
            "vton_result_cache",
            "Repeats answered from store.",
            ("outcome",),
            registry=self.registry,
        )
        self.worker_cache = Counter(
            "vton_worker_cache",
            "Intermediates a worker reused.",
            ("engine", "part", "outcome"),
            registry=self.registry,
        )
        self.retries = Counter(
            "vton_model_retries", "Inferences asked again.", ("reason",), registry=self.registry
        )
        self.ready = Gauge(
            "vton_engine_ready", "1 while a worker is ready.", ("engine",), registry=self.registry
        )
        self.erased = Counter(
            "vton_objects_erased", "Expired objects erased.", ("folder",), registry=self.registry
        )

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
