"""No way around: lists, cursors, repeated requests, links and what is remembered tell nobody more.

Twenty callers of every kind, each with something of his own that the others would find.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.domain.names import Keeping, ObjectName
from gateway.domain.uploads import ImageType
from tests.gateway.identity.crowd import (
    SECTIONS,
    Somebody,
    application,
    crowd,
    furnish,
    pictures_of,
    sessions_of,
)
from tests.gateway.pictures import jpeg
from tests.gateway.signing_in import Place, signing_in
from tests.gateway.socket_asking import asked_by_socket

pytestmark = pytest.mark.anyio

SESSIONS: Final = "/api/v1/tryon/sessions"
ANALYSE: Final = "/api/v1/person/analyse"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with signing_in(tmp_path, **SECTIONS) as place:
        yield place


async def page(place: Place, one: Somebody, **asked: str) -> Any:  # noqa: ANN401
    told = await place.gateway.client.get(SESSIONS, headers=one.headers, params=asked)
    assert told.status_code == httpx.codes.OK
    return told.json()


async def tried_on(place: Place, one: Somebody, at: str, **headers: str) -> httpx.Response:
    sent, files = {**one.headers, **headers}, pictures_of(place.gateway)
    return await place.gateway.client.post(at, headers=sent, files=files)


async def test_a_list_and_a_cursor_of_somebody_elses_show_ones_own(place: Place) -> None:
    everybody = await crowd(place)
    for one in everybody:
        await furnish(place, one, objects=12)
    cursors = [(await page(place, one, limit="2"))["next_cursor"] for one in everybody]
    for one in everybody:
        assert (await sessions_of(place, one, page=3)).keys() == {*one.things["session_id"]}
        for cursor in cursors:
            shown = await page(place, one, cursor=cursor)
            assert {each["session_id"] for each in shown["sessions"]} <= {*one.things["session_id"]}
        for at, names in (("webhooks", "webhook_id"), ("keys", "key_id")):
            told = await place.gateway.client.get(f"/api/v1/{at}", headers=one.headers)
            shown = {each[names] for each in told.json().get(at, [])}
            assert shown == {*one.things[names]}


async def test_a_repeated_request_of_somebody_else_is_a_new_one(place: Place) -> None:
    made = [
        await tried_on(place, one, SESSIONS, **{"Idempotency-Key": "order-7"})
        for one in await crowd(place)
    ]
    assert {answer.status_code for answer in made} == {httpx.codes.CREATED}
    assert len({answer.json()["session_id"] for answer in made}) == len(made)


async def test_what_was_made_for_one_is_not_remembered_for_another(place: Place) -> None:
    """That it was there already would tell that somebody else has the same photo."""
    names = set()
    for one in await crowd(place, users=6):
        first, again = [await tried_on(place, one, "/api/v1/process-tryon") for _ in range(2)]
        assert (first.json()["cached"], again.json()["cached"]) == (False, True)
        assert first.headers.keys() == again.headers.keys()
        names.add(httpx.URL(first.json()["result_url"]).path)
    assert len(names) == 6


async def test_an_upload_is_found_by_its_sender_alone(place: Place) -> None:
    client, everybody = place.gateway.client, await crowd(place)
    file = {"file": ("photo.jpg", place.gateway.person, "image/jpeg")}
    ids = [
        (await client.post("/api/v1/uploads", headers=one.headers, files=file)).json()["upload_id"]
        for one in everybody
    ]
    nowhere = str(ObjectName.new(Keeping(place.gateway.clock.now() + 9), bytes(16)))
    for number, one in enumerate(everybody):
        for at, body in naming(ids[number - 1]).items():
            theirs, none, mine = [
                await client.post(at, headers=one.headers, json=told)
                for told in (body, naming(nowhere)[at], naming(ids[number])[at])
            ]
            assert (theirs.status_code, none.status_code) == (404, 404), at
            assert theirs.json()["error_code"] == none.json()["error_code"]
            assert mine.is_success, mine.text
    stranger = await client.post("/api/v1/person/analyse", json=naming(ids[0])[ANALYSE])
    assert stranger.status_code == httpx.codes.NOT_FOUND


def naming(upload_id: str) -> dict[str, dict[str, Any]]:
    """Bodies of requests that name an upload, by where they are sent."""
    photo = {"upload_id": upload_id}
    both = {"user_image": photo, "garment_image": photo}
    batch = {"people": [{"user_image": photo}], "garments": [{"garment_image": photo}]}
    return {
        ANALYSE: {"user_image": photo},
        "/api/v1/process-tryon": both,
        SESSIONS: both,
        "/api/v1/tryon/batches": batch,
    }


async def test_a_link_to_a_picture_opens_that_picture_alone(place: Place) -> None:
    gateway = place.gateway
    made = [
        await gateway.resources.results.keep(None, [jpeg((96, 120), seed)], ImageType.JPEG, {})
        for seed in range(20)
    ]
    links = [httpx.URL(gateway.resources.results.links(one).urls[0]) for one in made]
    for mine in links:
        for theirs in links:
            got = await gateway.client.get(mine.path, params=dict(theirs.params))
            assert got.status_code == (200 if mine is theirs else httpx.codes.UNAUTHORIZED)
        unsigned = await gateway.client.get(mine.path)
        assert unsigned.status_code == httpx.codes.UNPROCESSABLE_ENTITY


async def test_a_link_to_a_session_is_good_for_what_it_names_and_nothing_else(
    place: Place,
) -> None:
    client = place.gateway.client
    made = [(await tried_on(place, one, SESSIONS)).json() for one in await crowd(place, users=3)]
    for mine in made:
        others = [other["session_id"] for other in made if other is not mine]
        streamed, talked = (httpx.URL(mine["urls"][name]) for name in ("events", "socket"))
        for query in (streamed.query.decode(), talked.query.decode()):
            for other in others:
                answer = await client.get(f"{SESSIONS}/{other}/events?{query}")
                assert answer.status_code == httpx.codes.UNAUTHORIZED
                assert await talks(place, f"/ws/tryon/{other}?{query}") == 401
            for at in ("", "/deliveries"):
                answer = await client.get(f"{SESSIONS}/{mine['session_id']}{at}?{query}")
                assert answer.status_code == httpx.codes.NOT_FOUND
            answer = await client.delete(f"{SESSIONS}/{mine['session_id']}?{query}")
            assert answer.status_code == httpx.codes.NOT_FOUND
        assert await talks(place, f"{talked.path}?{streamed.query.decode()}") == 401
        assert await talks(place, f"{talked.path}?{talked.query.decode()}") == 101


async def talks(place: Place, url: str) -> int:
    return (await asked_by_socket(application(place), url, {})).status_code
