"""Shared by every test: how hard Hypothesis looks, and where system tests run."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.servers.fixtures import (
    database_url,
    own_postgres,
    own_redis,
    own_s3,
    postgres_server,
    postgres_url,
    redis_server,
    redis_url,
    s3_server,
    s3_url,
)

__all__ = [
    "database_url",
    "own_postgres",
    "own_redis",
    "own_s3",
    "postgres_server",
    "postgres_url",
    "redis_server",
    "redis_url",
    "s3_server",
    "s3_url",
]

settings.register_profile("dev", max_examples=100, deadline=None)
settings.register_profile(
    "ci", max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all system tests in one xdist worker: they share one real TorchServe."""
    for item in items:
        if item.get_closest_marker("system"):
            item.add_marker(pytest.mark.xdist_group("system"))
