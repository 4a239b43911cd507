"""A plug-in that takes the fence down: every attempt may write to an item, lost or not.

Only `test_fence` loads it, in a process of its own, to see the suite turn red.
"""

import pytest
from sqlalchemy import ColumnElement, true

from gateway.adapters.sql import fencing, turns


def _everybody(_: int) -> ColumnElement[bool]:
    return true()


def pytest_configure(config: pytest.Config) -> None:  # noqa: ARG001 - as pytest calls it
    for module in (fencing, turns):
        vars(module)["is_attempt"] = _everybody
