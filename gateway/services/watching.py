"""Watching a session: all that happens to it in order, from wherever a watcher left off.

Events are read from the database at the watcher's own pace, so whoever is slow keeps nobody
waiting. Glimpses pass by: they are seen by who looks, and kept nowhere.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.domain import sessions_topics as topics
from gateway.domain.sessions import Event, EventKind, History
from gateway.domain.sessions_glimpses import Glimpse
from gateway.domain.sessions_lifecycle import ENDED
from gateway.errors.kinds import DatabaseFailed, NotFound
from gateway.ports.sessions import Notices, SessionBook
from gateway.services.waking import Alarm, Closing, alarm_at
from gateway.services.watch_room import WatchRoom

_AT_ONCE: Final = 100

News = Event | Glimpse | None
"""An event, a glimpse, or None: nothing new, but the session is still watched."""


@dataclass(frozen=True, slots=True)
class WatchRules:
    """In seconds: how often a watcher looks unasked, and the longest silence."""

    poll_s: float
    silence_s: float


class SessionWatch:
    """Follows sessions for whoever watches them, as many as there is `room` for."""

    def __init__(
        self,
        book: SessionBook,
        notices: Notices,
        rules: WatchRules,
        room: WatchRoom,
        closing: Closing,
    ) -> None:
        self.room: Final = room
        self.closing: Final = closing
        self._book = book
        self._notices = notices
        self._rules = rules

    async def owner_of(self, session_id: str) -> str:
        """Whose a session is; raises NotFound."""
        owner = await self._book.owner_of(session_id)
        if owner is None:
            raise NotFound
        return owner

    async def look(self, session_id: str, owner: str, after: int = 0) -> History:
        """How a session stands, and what happened after its event `after`; raises NotFound."""
        found = await self._book.history(session_id, owner, after, _AT_ONCE)
        if found is None:
            raise NotFound
        return found

    async def follow(
        self, session_id: str, owner: str, begun: History, after: int = 0
    ) -> AsyncGenerator[News, None]:
        """What happens to a session after its event `after`, to its last event.

        `begun` is what a look after the same event has shown. Raises NotFound when the session is
        erased in the midst of it. A database that is away is waited for. Where the gateway is about
        to close it stops; what is still to come, another one tells.
        """
        loop, rules = asyncio.get_running_loop(), self._rules
        after = min(after, begun.last_event)  # or what comes next would be passed over
        if begun.has_ended and after == begun.last_event:
            return
        for event in begun.events:
            yield event
            after = event.seq
            if is_last(event):
                return  # before anything was set up to listen
        spoke = loop.time()
        async with (
            alarm_at(self._notices, topics.of_session(session_id), self.closing) as alarm,
            self._glimpses(session_id, alarm) as seen,
        ):
            while not self.closing.has_begun:
                news: list[News] = [*await self._since(session_id, owner, after)]
                has_more = len(news) == _AT_ONCE
                news += _fresh(seen, news)
                if not news and spoke + rules.silence_s <= loop.time():
                    news.append(None)
                for one in news:
                    yield one
                    spoke = loop.time()
                    if isinstance(one, Event):
                        after = one.seq
                        if is_last(one):
                            return
                if not has_more:
                    await alarm.wait(min(rules.poll_s, rules.silence_s))

    @asynccontextmanager
    async def _glimpses(self, session_id: str, alarm: Alarm) -> AsyncIterator[list[Glimpse]]:
        """The latest glimpse, if nobody has taken it yet; the alarm rings for each."""
        latest: list[Glimpse] = []

        async def look() -> None:
            async for packed in self._notices.glimpses(topics.glimpses_of(session_id)):
                glimpse = Glimpse.unpack(packed)
                if glimpse is not None:
                    latest[:] = [glimpse]
                    alarm.ring()

        looking = asyncio.create_task(look())
        try:
            yield latest
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _since(self, session_id: str, owner: str, seq: int) -> Sequence[Event]:
        try:
            return (await self.look(session_id, owner, seq)).events
        except DatabaseFailed:
            structlog.get_logger(__name__).warning("a watcher waits for the database")
            return ()


def _fresh(seen: list[Glimpse], news: Sequence[News]) -> Sequence[Glimpse]:
    """Take what was seen, unless its item may have gone on to something better."""
    taken, seen[:] = list(seen), []
    is_over = any(isinstance(one, Event) and one.kind is EventKind.ITEM for one in news)
    return () if is_over else taken


def is_last(event: Event) -> bool:
    """Whether nothing happens to a session after this."""
    return event.kind is EventKind.STATE and event.data["state"] in ENDED
