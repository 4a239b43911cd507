"""Tests of services may ask for webhooks with a receiver."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.hooks import Hooks, hooking


@pytest.fixture
async def hooks(database_url: str) -> AsyncIterator[Hooks]:
    async with hooking(database_url) as hooks:
        yield hooks
