"""What the services need from the world, as protocols; `resources` picks who provides it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Protocol

from gateway.domain.jobs import Job, ModelState, Prediction, Progress
from gateway.domain.results import StoredResult
from gateway.domain.sessions import (
    Claim,
    ClaimKey,
    Created,
    Cursor,
    Draft,
    Event,
    Fault,
    Outcome,
    RepeatKey,
    Session,
)
from gateway.domain.sessions_lifecycle import State
from gateway.domain.versions import Archive, Registered, Split, Tally

OnProgress = Callable[[Progress], None]


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Unix time in seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for measuring."""
        ...


class Models(Protocol):
    """A model server."""

    async def predict(self, job: Job, on_progress: OnProgress | None = None) -> Prediction:
        """Run one inference.

        Raises ModelNotLoaded, NotDeployed, InferenceFailed, OutOfMemory, BadDimensions, Unfit,
        InvalidInput, Busy or TimedOut.
        """
        ...

    def state(self, model: str) -> ModelState:
        """The model's state as last seen; never waits."""
        ...

    def version_for(self, model: str, request_id: str) -> str | None:
        """The version that a request goes to; None while none is known."""
        ...

    async def refresh(self) -> None:
        """Look at every model's state anew."""
        ...


class Traffic(Protocol):
    """Who is on which version of a model, as far as this gateway sent them there."""

    def share_out(self, model: str, split: Split | None) -> None:
        """Let a share of a model's requests try a version; None: all go to the default."""
        ...

    def split(self, model: str) -> Split | None:
        """How a model's requests are shared out now."""
        ...

    def in_flight(self, model: str, version: str) -> int:
        """How many requests of this gateway a version is at work on."""
        ...

    def tally(self, model: str, version: str) -> Tally:
        """What has become of a version's requests since the counts were last cleared."""
        ...

    def clear(self, model: str) -> None:
        """Begin to count a model's ended requests anew."""
        ...


class VersionControl(Protocol):
    """A model server's versions.

    Every method raises ModelNotLoaded when the server does not answer, VersionRefused when it
    refuses.
    """

    async def versions(self, model: str) -> tuple[Registered, ...]:
        """Every version of a model that is registered, the default one first; () for none."""
        ...

    async def register(self, archive: Archive) -> None:
        """Register an archive; a version that is registered already stays as it is."""
        ...

    async def scale(self, model: str, version: str, workers: int) -> None:
        """Have so many workers; they get ready later."""
        ...

    async def make_default(self, model: str, version: str) -> None:
        """Send whatever names no version to this one, from now on."""
        ...

    async def unregister(self, model: str, version: str) -> None:
        """End a version's workers, whatever they are at; one that is gone is gone."""
        ...


class ModelStore(Protocol):
    """Archives that may be served; raises InvalidInput for one that is not there or not genuine."""

    async def by_version(self, model: str, version: str) -> Archive:
        """The archive that holds this version of a model."""
        ...

    async def by_name(self, model: str, name: str) -> Archive:
        """The archive of this file name, which must hold this model."""
        ...


class ObjectStore(Protocol):
    """A place for bytes under keys of our own."""

    async def put(self, key: str, content: bytes, media_type: str) -> None:
        """Store new bytes; a key is never written twice. Raises StorageFailed."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The bytes, or None when there are none. Raises StorageFailed."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under this key. Raises StorageFailed."""
        ...

    async def delete(self, key: str) -> None:
        """Erase the bytes, if there are any. Raises StorageFailed."""
        ...

    def keys(self, folder: str) -> AsyncIterator[str]:
        """Every key below a folder. Raises StorageFailed."""
        ...

    async def clear_unfinished(self) -> int:
        """Erase what was never finished and is old; how much. Raises StorageFailed."""
        ...


class ResultMemo(Protocol):
    """Remembers for a while which request gave which result."""

    def get(self, key: str) -> StoredResult | None:
        """The result of the same request, if it is remembered."""
        ...

    def put(self, key: str, result: StoredResult) -> None:
        """Remember a result."""
        ...

    def names(self) -> Collection[str]:
        """The pictures of every result that is remembered; what is too old is dropped first."""
        ...

    def drop(self, names: Collection[str]) -> int:
        """Drop every result that has one of these pictures; how many there were."""
        ...


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

    async def to_erase(self, limit: int) -> Sequence[Session]:
        """Sessions that are forgotten or over, and still have to be erased."""
        ...

    async def erase(self, session_id: str) -> None:
        """Drop a session's rows, after its objects."""
        ...

    async def owner_of(self, session_id: str) -> str | None:
        """Whose a session is."""
        ...

    async def events_since(
        self, session_id: str, owner: str, seq: int, limit: int
    ) -> Sequence[Event] | None:
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

    async def claim(self, runner: str, engines: Collection[str]) -> Claim | None:
        """Take the item that is next for these engines, from whoever lost it, too."""
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

    async def give_back(self, claim: Claim, wait_s: float, *, is_tried: bool) -> bool:
        """Let others have an item after a while; not counted unless `is_tried`."""
        ...

    async def tidy(self) -> int:
        """End sessions past their time, and items that nobody survived; how many were touched."""
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
