"""Ids within paths: what cannot be one names nothing, and no store is asked for it.

A database that is handed a text which it cannot hold answers by its own rules: SQLite finds
nothing, Postgres fails.
"""

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from gateway.domain.ids import PATTERN, is_id
from gateway.errors.kinds import NotFound


def existing(text: str) -> str:
    """An id that something may have; raises NotFound for any other text."""
    if not is_id(text):
        raise NotFound
    return text


AnyId = Annotated[str, Path(json_schema_extra={"pattern": PATTERN})]
"""Taken as it comes, by who calls `existing` himself."""

PathId = Annotated[AnyId, AfterValidator(existing)]
