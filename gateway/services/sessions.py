"""Sessions as their owners use them: made, read, listed, cancelled, erased."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from gateway.domain import sessions_topics as topics
from gateway.domain.names import session_of_name
from gateway.domain.sessions import Created, Cursor, Draft, RepeatKey, Session
from gateway.domain.sessions_lifecycle import State
from gateway.errors.kinds import CommitFailed, GatewayError, NotFound
from gateway.ports.clock import Clock
from gateway.ports.sessions import Notices, SessionBook
from gateway.services.audit import NOBODY, Visitor
from gateway.services.erasing import SessionEraser
from gateway.services.session_drafts import SessionDrafts, SessionRequest
from gateway.services.waking import Closing, alarm_at


@dataclass(frozen=True, slots=True)
class Page:
    """Some of an owner's sessions, and where the rest begins."""

    sessions: Sequence[Session]
    next_cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class SessionRules:
    """In seconds: how long a key is remembered, how often one who waits looks unasked."""

    repeat_s: float
    poll_s: float


class SessionService:
    """What an owner may do; a session that is not the owner's is not found."""

    def __init__(
        self,
        book: SessionBook,
        drafts: SessionDrafts,
        notices: Notices,
        clock: Clock,
        rules: SessionRules,
        eraser: SessionEraser,
    ) -> None:
        self._book = book
        self._drafts = drafts
        self._notices = notices
        self._clock = clock
        self._rules = rules
        self._eraser = eraser

    async def create(
        self, request: SessionRequest, admit: Callable[[], Awaitable[None]] | None = None
    ) -> Created:
        """Accept a session: from now on it ends, whatever dies.

        What is no repeat has to be admitted, before anything of it is stored. Raises Conflict for a
        key that was used for another request, SessionsFull, and what its parts do.
        """
        repeat = await self._repeat_key(request)
        if repeat is not None:
            earlier = await self._book.repeated(request.owner, repeat)
            if earlier is not None:
                return Created(await self.get(earlier, request.owner), is_repeat=True)
        if admit is not None:
            await admit()
        draft = await self._drafts.make(request)
        created = await self._write(draft, repeat)
        await self._notices.publish(topics.QUEUE)
        return created

    async def get(self, session_id: str, owner: str) -> Session:
        """A session as it stands; raises NotFound."""
        session = await self._book.find(session_id, owner)
        if session is None:
            raise NotFound
        return session

    async def check_shown(self, name: str) -> None:
        """Raises NotFound for the name of a picture whose session was deleted or is over.

        Its objects may be there yet: a store that refuses, or a run that is yet to come.
        """
        session_id = session_of_name(name)
        if session_id is not None and await self._book.owner_of(session_id) is None:
            raise NotFound

    async def wait(
        self, session_id: str, owner: str, longest_s: float, closing: Closing | None = None
    ) -> Session:
        """The session once it has ended, or as it stands after so many seconds, or at closing."""
        until, closing = self._clock.monotonic() + longest_s, closing or Closing()
        async with alarm_at(self._notices, topics.of_session(session_id), closing) as alarm:
            while True:
                session = await self.get(session_id, owner)
                left_s = until - self._clock.monotonic()
                if session.has_ended or left_s <= 0 or closing.has_begun:
                    return session
                await alarm.wait(min(left_s, self._rules.poll_s))

    async def page(
        self, owner: str, limit: int, after: Cursor | None = None, state: State | None = None
    ) -> Page:
        """The owner's sessions, the newest first."""
        found = list(await self._book.page(owner, limit + 1, after, state))
        shown = found[:limit]
        has_more = len(found) > limit
        last = Cursor(shown[-1].created_at, shown[-1].session_id) if has_more else None
        return Page(shown, last)

    async def cancel(self, session_id: str, owner: str) -> Session:
        """End a session, if it has not ended; what is being made is dropped."""
        was_open = await self._book.cancel(session_id, owner)
        if was_open:
            await self._tell_ended(session_id)
        return await self.get(session_id, owner)

    async def delete(
        self, session_id: str, owner: str, visitor: Visitor = NOBODY
    ) -> Mapping[str, JsonValue]:
        """End a session, and erase it with every picture of it; gives the receipt.

        Raises NotFound. What another error leaves, the next erasing run erases.
        """
        session = await self._book.forget(session_id, owner)
        if session is None:
            raise NotFound
        await self._tell_ended(session_id)
        return await self._eraser.erase(session, visitor)

    async def receipt(self, session_id: str, owner: str) -> Mapping[str, JsonValue]:
        """The receipt of a session that is erased; raises NotFound."""
        return await self._eraser.receipt(session_id, owner)

    async def erase_due(self) -> int:
        """Erase what is forgotten or over, as far as it is still there; how many sessions."""
        return await self._eraser.erase_due()

    async def _repeat_key(self, request: SessionRequest) -> RepeatKey | None:
        if request.key is None:
            return None
        digest = await asyncio.to_thread(request.digest)
        return RepeatKey(request.key, digest, self._clock.now() + self._rules.repeat_s)

    async def _write(self, draft: Draft, repeat: RepeatKey | None) -> Created:
        try:
            created = await self._book.create(draft, repeat)
        except CommitFailed:  # it may be accepted: a repeat finds it with its pictures
            raise
        except GatewayError:
            await self._drafts.discard(draft)
            raise
        if created.is_repeat:
            await self._drafts.discard(draft)
        return created

    async def _tell_ended(self, session_id: str) -> None:
        await self._notices.publish(topics.LEASES)
        await self._notices.publish(topics.OUTBOX)
        await self._notices.publish(topics.of_session(session_id))
