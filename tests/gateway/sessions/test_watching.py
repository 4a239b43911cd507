"""Watching in both databases: whoever comes back behind what he has seen misses nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from gateway.adapters.clock import SystemClock
from gateway.domain.sessions import Event, EventKind
from gateway.domain.sessions_lifecycle import ENDED
from gateway.metrics import Metrics
from gateway.services.waking import Closing
from gateway.services.watch_room import WatchPlaces, WatchRoom
from gateway.services.watching import SessionWatch, WatchRules
from tests.gateway.sessions.workshop import Place, Sessions, opened

pytestmark = pytest.mark.anyio

ENGINE = "ann"
ITEMS = 4


@pytest.fixture
async def sessions(database_url: str, tmp_path: Path) -> AsyncIterator[Sessions]:
    place = Place(database_url, f"file://{tmp_path}/objects")
    async with opened(place, SystemClock(), [ENGINE]) as ready:
        yield ready


def watch_of(sessions: Sessions) -> SessionWatch:
    room = WatchRoom(WatchPlaces(99, 99, 99), Metrics().watchers)
    return SessionWatch(sessions.book, sessions.notices, WatchRules(0.2, 30), room, Closing())


async def seen(watch: SessionWatch, session_id: str, after: int, most: int) -> list[Event]:
    """So many events from behind one of them on, or fewer, if they are the last."""
    found: list[Event] = []
    begun = await watch.look(session_id, ENGINE, after)
    async with aclosing(watch.follow(session_id, ENGINE, begun, after)) as news:
        async for one in news:
            if isinstance(one, Event):
                found.append(one)
                if len(found) == most:
                    break
    return found


def is_whole(events: list[Event]) -> bool:
    """Whether these are all events there are, each once, the last one the end."""
    last = events[-1]
    return (
        [event.seq for event in events] == [*range(1, len(events) + 1)]
        and last.kind is EventKind.STATE
        and last.data["state"] in ENDED
    )


@pytest.mark.prop(16)
async def test_watchers_that_come_and_go_at_any_pace_see_all_of_it_once(
    sessions: Sessions,
) -> None:
    watch = watch_of(sessions)
    session_id = await sessions.accept(ENGINE, SystemClock().now(), ITEMS)

    async def come_and_go(stay: int) -> list[Event]:
        told: list[Event] = []
        while (
            not told or told[-1].kind is not EventKind.STATE or told[-1].data["state"] not in ENDED
        ):
            told += await seen(watch, session_id, len(told), stay)
        return told

    async with asyncio.timeout(60), sessions.running(), asyncio.TaskGroup() as group:
        watchers = [group.create_task(come_and_go(stay)) for stay in (1, 2, 3, 5, 8, 1000)]
    told = [watcher.result() for watcher in watchers]
    assert all(map(is_whole, told))
    assert all(one == told[0] for one in told)
    ended = [event.data for event in told[0] if event.kind is EventKind.ITEM]
    done = sorted(int(str(one["item"])) for one in ended if one["state"] in ENDED)
    assert done == [*range(ITEMS)]
    assert not sessions.notices._watching
    await sessions.ended_once(session_id, ENGINE)


async def test_from_any_two_cuts_on_there_is_no_gap_and_no_double(sessions: Sessions) -> None:
    watch = watch_of(sessions)
    session_id = await sessions.accept(ENGINE, SystemClock().now(), 2)
    async with sessions.running():
        whole = await seen(watch, session_id, 0, 1000)
    assert is_whole(whole)
    for first in range(1, len(whole)):
        for second in range(1, len(whole) - first + 1):
            told = await seen(watch, session_id, 0, first)
            told += await seen(watch, session_id, first, second)
            told += (
                await seen(watch, session_id, first + second, 1000) if not is_whole(told) else []
            )
            assert told == whole
