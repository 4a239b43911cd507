"""Rows into what the domain calls them, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

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
from gateway.domain.sessions_lifecycle import State
from gateway.error_codes import ErrorCode

Json = Mapping[str, Any]


def ask_json(ask: Ask) -> Json:
    """What an item wants, as its column holds it."""
    return {
        "pictures": dict(ask.pictures),
        "given": dict(ask.given),
        "person": ask.person,
        "garment": ask.garment,
    }


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
    }


def fault_json(fault: Fault) -> Json:
    """Why an item failed, as its column and its event hold it."""
    return {
        "error_code": fault.code.value,
        "message": fault.message,
        "details": dict(fault.details),
    }


def session_of(row: Row[Any], items: Iterable[Row[Any]], place: Place | None = None) -> Session:
    """A row of `sessions` and those of its items, in order."""
    return Session(
        session_id=row.id,
        owner=row.owner,
        kind=Kind(row.kind),
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
    )


def claim_of(row: Row[Any]) -> Claim:
    """A row of `session_items` with what a runner needs of its session, just claimed."""
    return Claim(
        session_id=row.session_id,
        position=row.position,
        owner=row.owner,
        kind=Kind(row.kind),
        engine=row.engine,
        ask=Ask(**row.ask),
        attempt=row.attempt + 1,
        tries=row.tries + 1,
        request_id=row.request_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def event_of(row: Row[Any]) -> Event:
    """A row of `session_events`."""
    return Event(row.seq, EventKind(row.kind), row.at, row.data)


def _item(row: Row[Any]) -> Item:
    return Item(
        position=row.position,
        state=State(row.state),
        ask=Ask(**row.ask),
        attempt=row.attempt,
        started_at=row.started_at,
        ended_at=row.ended_at,
        progress=None if row.progress is None else Progress(**row.progress),
        outcome=None if row.outcome is None else _outcome(row.outcome),
        fault=None if row.fault is None else _fault(row.fault),
    )


def _outcome(column: Json) -> Outcome:
    result = StoredResult(tuple(column["names"]), column["expires_at"], column["metadata"])
    return Outcome(result, column["is_cached"], column["processing_time_ms"])


def _fault(column: Json) -> Fault:
    return Fault(ErrorCode(column["error_code"]), column["message"], column["details"])
