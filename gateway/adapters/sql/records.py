"""Rows into what the domain calls them, and back.

While a deployment is updated, or taken back, other versions write rows, too: what this one does not
know in a row is passed over, so that it stops nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Row

from gateway.domain.jobs import Progress
from gateway.domain.results import StoredResult
from gateway.domain.sessions import (
    Ask,
    Claim,
    Event,
    EventKind,
    Fault,
    Item,
    Kind,
    Outcome,
    Place,
    Session,
)
from gateway.domain.sessions_lifecycle import Move, State, origins
from gateway.errors.codes import ErrorCode

Json = Mapping[str, Any]

ALTERNATIVES: Final = "alternatives"
"""Where an item's column says which engines may take the asked one's place."""


def ask_json(ask: Ask) -> Json:
    """What an item wants, as its column holds it."""
    return {
        "pictures": dict(ask.pictures),
        "given": dict(ask.given),
        "person": ask.person,
        "garment": ask.garment,
        ALTERNATIVES: list(ask.alternatives),
    }


def _ask(column: Json) -> Ask:
    known = _known(Ask, column)
    return Ask(**{**known, ALTERNATIVES: tuple(known.get(ALTERNATIVES, ()))})


def _known(kind: type[Ask | Progress], column: Json) -> dict[str, Any]:
    """What of a column this version has a place for."""
    return {one.name: column[one.name] for one in fields(kind) if one.name in column}


def _kind(told: str) -> Kind:
    """A session's kind: it says who goes first, which is settled once it is queued."""
    with suppress(ValueError):
        return Kind(told)
    return Kind.STANDARD


def progress_json(progress: Progress) -> Json:
    """How far an item is, as its column and its event hold it; a preview is kept nowhere."""
    known = {"queue_position": progress.queue_position, "estimate_s": progress.estimate_s}
    told = {"stage": progress.stage, "step": progress.step, "of": progress.of}
    return told | {name: value for name, value in known.items() if value is not None}


def outcome_json(outcome: Outcome) -> Json:
    """A finished item, as its column holds it."""
    result = outcome.result
    return {
        "names": list(result.names),
        "expires_at": result.expires_at,
        "metadata": dict(result.metadata),
        "is_cached": outcome.is_cached,
        "processing_time_ms": outcome.processing_time_ms,
        "engine": outcome.engine,
    }


def fault_json(fault: Fault) -> Json:
    """Why an item failed, as its column and its event hold it."""
    return {
        "error_code": fault.code.value,
        "message": fault.message,
        "details": dict(fault.details),
    }


ITEM: Final = "item_"
"""What a column of an item is called where it stands beside those of its session."""


def sessions_of(rows: Iterable[Row[Any]]) -> Sequence[Session]:
    """Sessions from rows of their items, each row with its session's columns, in order."""
    return [session_of(list(items)) for _, items in groupby(rows, attrgetter("id"))]


def session_of(items: Sequence[Row[Any]], place: Place | None = None) -> Session:
    """A session from the rows of its items, each with the session's columns, in order."""
    row = items[0]
    return Session(
        session_id=row.id,
        owner=row.owner,
        kind=_kind(row.kind),
        engine=row.engine,
        state=State(row.state),
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        expires_at=row.expires_at,
        cancel_at=row.cancel_at,
        items=tuple(_item(item) for item in items),
        last_event=row.last_event,
        place=place,
        is_forgotten=row.is_forgotten,
    )


def claim_of(row: Row[Any]) -> Claim:
    """The claim that follows from a row of `session_items` with what a runner needs of its session.

    Whoever takes an item over begins to count its bounces anew.
    """
    return Claim(
        session_id=row.session_id,
        position=row.position,
        owner=row.owner,
        kind=_kind(row.kind),
        engine=row.engine,
        ask=_ask(row.ask),
        attempt=row.attempt + 1,
        tries=row.tries + 1,
        request_id=row.request_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        payer=row.payer,
        bounces=row.bounces if State(row.state) in origins(Move.CLAIM) else 0,
        tickets=row.tickets or {},
    )


def event_of(row: Row[Any]) -> Event:
    """A row of `session_events`."""
    return Event(row.seq, EventKind(row.kind), row.at, row.data)


def _item(row: Row[Any]) -> Item:
    progress, outcome, fault = row.item_progress, row.item_outcome, row.item_fault
    return Item(
        position=row.item_position,
        state=State(row.item_state),
        ask=_ask(row.item_ask),
        attempt=row.item_attempt,
        started_at=row.item_started_at,
        ended_at=row.item_ended_at,
        progress=None if progress is None else Progress(**_known(Progress, progress)),
        outcome=None if outcome is None else _outcome(outcome),
        fault=None if fault is None else _fault(fault),
    )


def _outcome(column: Json) -> Outcome:
    result = StoredResult(tuple(column["names"]), column["expires_at"], column["metadata"])
    took_ms, engine = column["processing_time_ms"], column.get("engine")
    return Outcome(result, column["is_cached"], took_ms, engine)


def _fault(column: Json) -> Fault:
    return Fault(_code(column["error_code"]), column["message"], column["details"])


def _code(told: str) -> ErrorCode:
    with suppress(ValueError):
        return ErrorCode(told)
    return ErrorCode.INTERNAL
