"""What a session is: a person dressed in a garment, or a batch of such items.

A batch is one person in many garments, or many in many. Each item has a state and a result of its
own; the items are what is queued.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from gateway.domain.ids import is_id
from gateway.domain.names import Folder, Keeping
from gateway.domain.sessions_lifecycle import ENDED, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from gateway.domain.jobs import Progress
    from gateway.domain.results import StoredResult
    from gateway.domain.webhooks import Endpoint
    from gateway.errors.codes import ErrorCode


FIRST_EVENT: Final = 1
"""The number of the event that tells that a session was accepted."""


class Kind(StrEnum):
    """What a session is for; it says who goes first."""

    PREVIEW = "preview"
    STANDARD = "standard"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Place:
    """How many items of its engine wait before it, and the seconds until it is done, if known.

    An item that is being made has nobody before it. Whoever has as many in the making as one may is
    passed by those behind him, for so long: the one who asks, too.
    """

    queue_position: int
    estimate_s: float | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an item failed, as a caller may read it."""

    code: ErrorCode
    message: str
    details: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """What an item wants: stored pictures by the fields they came in, and options.

    `person` and `garment` count the batch's own: which person in which garment. `alternatives` are
    the engines that the deployment lets take the asked one's place and that honour all of it.
    """

    pictures: Mapping[str, str]
    given: Mapping[str, JsonValue]
    person: int = 0
    garment: int = 0
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A session before it is written; times are Unix seconds, `cancel_at` is the caller's own.

    `webhook` is an endpoint that is told of this session alone. `most_open` sessions of the owner
    may be open with it; None means any number. `payer` is the id of the API key that its GPU
    seconds are charged to.
    """

    session_id: str
    owner: str
    kind: Kind
    engine: str
    asks: tuple[Ask, ...]
    request_id: str
    created_at: float
    expires_at: float
    cancel_at: float | None = None
    webhook: Endpoint | None = None
    most_open: int | None = None
    payer: str | None = None

    def accepted(self, place: Place | None) -> Session:
        """The session that it becomes by being written, to which nothing has happened yet."""
        items = (Item.accepted(number, ask) for number, ask in enumerate(self.asks))
        return Session(
            session_id=self.session_id,
            owner=self.owner,
            kind=self.kind,
            engine=self.engine,
            state=State.CREATED,
            created_at=self.created_at,
            started_at=None,
            ended_at=None,
            expires_at=self.expires_at,
            cancel_at=self.cancel_at,
            items=tuple(items),
            last_event=FIRST_EVENT,
            place=place,
        )


@dataclass(frozen=True, slots=True)
class RepeatKey:
    """What tells a repeated request from a new one: the caller's key, and a digest of the body."""

    key: str
    body_hash: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of a list begins: behind this session."""

    created_at: float
    session_id: str

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Read a cursor back; None for anything that is not one."""
        created_at, _, session_id = text.partition("~")
        try:
            at = float.fromhex(created_at)
        except (ValueError, OverflowError):
            return None
        return cls(at, session_id) if math.isfinite(at) and is_id(session_id) else None

    def __str__(self) -> str:
        return f"{self.created_at.hex()}~{self.session_id}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished item: its result, whether it was reused, how long it took, and who served it."""

    result: StoredResult
    is_cached: bool
    processing_time_ms: float
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One person in one garment."""

    position: int
    state: State
    ask: Ask
    attempt: int
    started_at: float | None
    ended_at: float | None
    progress: Progress | None
    outcome: Outcome | None
    fault: Fault | None

    @classmethod
    def accepted(cls, position: int, ask: Ask) -> Item:
        """One that waits for its first attempt."""
        return cls(position, State.CREATED, ask, 0, None, None, None, None, None)


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it stands: in no `place` once it has ended, `is_forgotten` once deleted."""

    session_id: str
    owner: str
    kind: Kind
    engine: str
    state: State
    created_at: float
    started_at: float | None
    ended_at: float | None
    expires_at: float
    cancel_at: float | None
    items: tuple[Item, ...]
    last_event: int
    place: Place | None = None
    is_forgotten: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it, its erasure apart."""
        return self.state in ENDED

    @property
    def object_keys(self) -> frozenset[str]:
        """The keys of every stored picture that is its own, inputs and results."""
        asked = {name for item in self.items for name in item.ask.pictures.values()}
        return frozenset(
            {f"{Folder.UPLOADS}/{name}" for name in asked}
            | {f"{Folder.RESULTS}/{name}" for name in self.result_names}
        )

    @property
    def result_names(self) -> frozenset[str]:
        """The names of every picture that was made for it."""
        made = (item.outcome.result.names for item in self.items if item.outcome)
        return frozenset(name for names in made for name in names)


@dataclass(frozen=True, slots=True)
class Created:
    """The session of a request, and whether an earlier one had made it."""

    session: Session
    is_repeat: bool

    @property
    def session_id(self) -> str:
        """The session's."""
        return self.session.session_id


ClaimKey = tuple[str, int, int]
"""What tells a claim from every other: session, position, attempt."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that is somebody's to run until the lease ends; `attempt` is the fencing token.

    `tries` counts the times it was begun in earnest, this one included; `bounces` how often in a
    row it was given back to wait; `tickets` are those of engines elsewhere, by model.
    """

    session_id: str
    position: int
    owner: str
    kind: Kind
    engine: str
    ask: Ask
    attempt: int
    tries: int
    request_id: str
    created_at: float
    expires_at: float
    payer: str | None = None
    bounces: int = 0
    tickets: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> ClaimKey:
        """What tells it from every other claim."""
        return self.session_id, self.position, self.attempt

    @property
    def keeping(self) -> Keeping:
        """Where its result is kept, and until when."""
        return Keeping(self.expires_at, self.session_id)


class EventKind(StrEnum):
    """What an event tells."""

    STATE = "state"
    ITEM = "item"
    PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a session; `seq` counts from 1 without a gap."""

    seq: int
    kind: EventKind
    at: float
    data: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class History:
    """How a session stands, the number of its last event, and what happened so far."""

    state: State
    last_event: int
    events: Sequence[Event]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED
