"""Which items an engine may make: its own, and those of others whose place it may take."""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, and_, or_

from gateway.adapters.sql.records import ALTERNATIVES
from gateway.adapters.sql.tables import session_items


def is_served(
    engines: Collection[str], instead: Mapping[str, Collection[str]]
) -> ColumnElement[bool]:
    """It is for one of these engines, or for one in `instead` and may be made by those it names."""
    items = session_items.c
    others = (and_(items.engine == name, or_(*map(_names, able))) for name, able in instead.items())
    return or_(items.engine.in_(engines), *others)


def _names(engine: str) -> ColumnElement[bool]:
    """The item may be made by this engine, as the list within its JSON says."""
    told: ColumnElement[str] = session_items.c.ask[ALTERNATIVES].as_string()
    return told.contains(f'"{engine}"', autoescape=True)
