"""Sessions as streams of events: whole, from any point on, for their owner alone."""

from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.live import (
    FOREIGN,
    MINE,
    PATH,
    Live,
    OneByOne,
    Told,
    all_of,
    live_gateway,
    read,
    until,
)
from tests.gateway.steps_stand_in import PREVIEW, STEPS

pytestmark = pytest.mark.anyio
TOKEN = (b"X-User-Token", b"m" * 32)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_gateway(tmp_path) as running:
        yield running


async def test_a_stream_tells_all_in_order_and_ends_with_the_session(live: Live) -> None:
    session_id = await live.create(steps=STEPS)
    answer = await live.events(session_id)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("retry: 1000\n\n")
    told = all_of(answer.text)
    numbers = [one.number for one in told if one.number]
    assert numbers == [*range(1, len(numbers) + 1)]
    states = [one.data["state"] for one in told if one.name == "state"]
    assert states == ["created", "processing", "completed"]
    assert told[-1].data["state"] == "completed"
    (done,) = [one.data for one in told if one.name == "item" and "result" in one.data]
    picture = await live.gateway.client.get(done["result"]["result_urls"][0])
    assert picture.status_code == 200
    assert "user_image" not in answer.text


async def test_from_any_point_on_a_stream_goes_on_without_gap_or_double(live: Live) -> None:
    session_id = await live.create()
    told = all_of((await live.events(session_id)).text)
    numbered = [one.number for one in told]
    for cut in range(len(numbered)):
        rest = await live.events(session_id, last_event_id=str(cut))
        assert [one.number for one in all_of(rest.text)] == numbered[cut:]
        url = f"{PATH}/{session_id}/events?after={cut}"
        again = await live.gateway.client.get(url, headers=MINE)
        assert all_of(again.text)[0].number == numbered[cut]


@pytest.mark.parametrize("junk", ["", "x", "-1", "1.5", "٣", "999", "9" * 60])
async def test_an_unknown_number_is_no_fault(live: Live, junk: str) -> None:
    session_id = await live.create()
    whole = all_of((await live.events(session_id)).text)
    answer = await live.gateway.client.get(
        f"{PATH}/{session_id}/events", headers=[TOKEN, (b"Last-Event-ID", junk.encode())]
    )
    assert len(all_of(answer.text)) == len(whole)


async def test_behind_the_end_there_is_nothing_more(live: Live) -> None:
    session_id = await live.create()
    last = all_of((await live.events(session_id)).text)[-1].number
    assert (await live.events(session_id, last_event_id=str(last))).status_code == 204


async def test_steps_and_previews_are_told_while_it_works_and_previews_are_kept_nowhere(
    live: Live,
) -> None:
    live.steps.may_step = OneByOne()
    session_id = await live.create(steps=STEPS, preview_every=1)
    seen: list[Told] = []
    async with live.streamed(session_id) as stream:
        async for block in stream:
            if "event: " in block:
                seen.append(read(block))
                if seen[-1].name == "preview" or seen[-1].data.get("stage") == "queue":
                    live.steps.may_step.set()
    progress = [one.data for one in seen if one.name == "progress"]
    assert progress[0]["stage"] == "queue"
    assert progress[0]["queue_position"] == 2
    previews = [one for one in seen if one.name == "preview"]
    assert [one.data["step"] for one in previews[:-1]] == [*range(1, len(previews))]
    assert len(previews) in {STEPS - 1, STEPS}
    for preview in previews:
        assert preview.number is None
        assert b64decode(preview.data["image"].removeprefix("data:image/jpeg;base64,")) == PREVIEW
    assert "preview" not in [one.name for one in all_of((await live.events(session_id)).text)]


async def test_who_waits_long_hears_that_it_is_still_watched(live: Live) -> None:
    live.steps.may_step.clear()
    session_id = await live.create()
    async with live.streamed(session_id) as stream:
        async for block in stream:
            if block == ": still here":
                break
    await until(live.nobody_watches)


async def test_an_erased_session_is_gone_for_its_watchers(live: Live) -> None:
    live.steps.may_step.clear()
    session_id = await live.create()
    names = []
    async with live.streamed(session_id) as stream:
        async for block in stream:
            if "event: " not in block:
                continue
            names.append(read(block).name)
            if names == ["state"]:
                await live.gateway.client.delete(f"{PATH}/{session_id}", headers=MINE)
    assert names[-1] == "gone"


async def test_only_its_owner_watches_a_session_or_who_was_given_the_link(live: Live) -> None:
    session_id = await live.create()
    client, path = live.gateway.client, f"{PATH}/{session_id}/events"
    for headers in ({}, FOREIGN):
        assert (await client.get(path, headers=headers)).status_code == 404
    link = (await live.get(session_id))["urls"]["events"]
    assert "state" in (await client.get(link)).text
    assert (await client.get(link[:-1] + "0" + "1")).status_code == 422
    forged = link[:-1] + ("1" if link[-1] == "0" else "0")
    assert (await client.get(forged)).status_code == 401
    assert (await client.get(link.replace(session_id, "0" * 32))).status_code == 401
    live.gateway.clock.time_s += 1000
    assert (await client.get(link)).json()["error_code"] == "AUTH_1002"
