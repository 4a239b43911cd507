"""What sessions need: their book, their queue, and word of what changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from gateway.domain.jobs import Progress
from gateway.domain.sessions import (
    Claim,
    ClaimKey,
    Created,
    Cursor,
    Draft,
    Fault,
    History,
    Outcome,
    RepeatKey,
    Session,
)
from gateway.domain.sessions_lifecycle import State

NO_TICKETS: Final[Mapping[str, str]] = MappingProxyType({})
NOBODY: Final[Mapping[str, Collection[str]]] = MappingProxyType({})
"""No engine whose items others may make."""


class SessionBook(Protocol):
    """Sessions as their owners see them; everything raises DatabaseFailed.

    What is forgotten or over its expiry is not found any more.
    """

    async def create(self, draft: Draft, repeat: RepeatKey | None = None) -> Created:
        """Write a session down, unless its request was made before.

        Raises Conflict, or SessionsFull.
        """
        ...

    async def repeated(self, owner: str, repeat: RepeatKey) -> str | None:
        """The session that an earlier request with this key made; raises Conflict."""
        ...

    async def find(self, session_id: str, owner: str) -> Session | None:
        """An owner's session; nobody else's."""
        ...

    async def page(
        self, owner: str, limit: int, after: Cursor | None = None, state: State | None = None
    ) -> Sequence[Session]:
        """An owner's sessions, the newest first, from behind a cursor; without their places."""
        ...

    async def cancel(self, session_id: str, owner: str) -> bool | None:
        """End an open session; whether it was open, or None where there is none."""
        ...

    async def forget(self, session_id: str, owner: str) -> Session | None:
        """End a session and hide it until it is erased; what it was, None where there is none."""
        ...

    async def to_erase(self, limit: int, after: str = "") -> Sequence[Session]:
        """The first sessions behind an id that are forgotten or over, still to be erased, by id."""
        ...

    async def owner_of(self, session_id: str) -> str | None:
        """Whose a session is."""
        ...

    async def history(self, session_id: str, owner: str, seq: int, limit: int) -> History | None:
        """What happened to an owner's session after its event `seq`; None where there is none."""
        ...

    async def open_items(self) -> Mapping[State, int]:
        """How many items wait, and how many are being made."""
        ...


class SessionQueue(Protocol):
    """Sessions as runners see them; everything raises DatabaseFailed.

    A claim holds until its lease ends: until somebody else takes the item over. Whatever is said
    about an item says whether it was still the runner's; if not, nothing was changed.
    """

    async def claim(
        self,
        runner: str,
        engines: Collection[str],
        instead: Mapping[str, Collection[str]] = NOBODY,
    ) -> Claim | None:
        """Take the item that is next for these engines, from whoever lost it, too.

        `instead` names engines whose items others may make, each with these others.
        """
        ...

    async def beat(self, held: Collection[ClaimKey]) -> Collection[ClaimKey]:
        """Renew the leases of claims; those that still hold."""
        ...

    async def progress(self, claim: Claim, progress: Progress) -> bool:
        """Say how far an item is."""
        ...

    async def complete(self, claim: Claim, outcome: Outcome) -> bool:
        """End an item well."""
        ...

    async def fail(self, claim: Claim, fault: Fault) -> bool:
        """End an item that failed for good."""
        ...

    async def remember(self, claim: Claim, tickets: Mapping[str, str]) -> bool:
        """Keep the tickets of engines elsewhere with an item."""
        ...

    async def give_back(
        self,
        claim: Claim,
        wait_s: float,
        tickets: Mapping[str, str] = NO_TICKETS,
        *,
        is_tried: bool,
    ) -> bool:
        """Let others have an item after a while, with its tickets; not counted unless `is_tried`.

        One that has to wait has bounced once more.
        """
        ...

    async def tidy(self) -> Collection[str]:
        """End sessions past their time, and items that nobody survived; which were touched."""
        ...


class Notices(Protocol):
    """Wake-ups between processes: that something happened, never what.

    They may be lost or come twice: whoever listens looks for himself, and now and then unasked.
    """

    async def publish(self, topic: str) -> None:
        """Wake everyone who listens to this topic, in every process; never raises."""
        ...

    def listen(self, topic: str) -> AsyncIterator[None]:
        """Wake-ups of a topic, from now on, until the iterator is closed."""
        ...

    async def show(self, topic: str, glimpse: bytes) -> None:
        """Show a few kilobytes to whoever watches this topic now; kept nowhere, never raises."""
        ...

    def glimpses(self, topic: str) -> AsyncIterator[bytes]:
        """What is shown under a topic, from now on; who is slow sees the latest alone."""
        ...
