"""Sessions over HTTP: accepted at once, watched, cancelled, erased; their owner's alone."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from gateway.domain.identity import visitor_owner
from tests.gateway import pictures
from tests.gateway.live import until
from tests.gateway.running import HANGS_S, Gateway, running_gateway
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio

PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}
OWNER = visitor_owner(MINE["X-User-Token"])
FOREIGN = {"X-User-Token": "f" * 32}
WAIT = {"Prefer": "wait=20"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that looks for work often, as its notices are its own."""
    quick = {"poll_s": 0.05, "beat_s": 0.05, "progress_s": 0.01, "retry_first_s": 0.01}
    async with running_gateway(tmp_path, sessions=quick) as running:
        yield running


async def create(gateway: Gateway, headers: dict[str, str] = MINE, **fields: str) -> httpx.Response:
    files = {
        "user_image": ("p.jpg", gateway.person, "image/jpeg"),
        "garment_image": ("g.jpg", gateway.garment, "image/jpeg"),
    }
    return await gateway.client.post(PATH, headers=headers, files=files, data=fields)


async def get(gateway: Gateway, session_id: str) -> Any:  # noqa: ANN401
    return (await gateway.client.get(f"{PATH}/{session_id}", headers=MINE)).json()


async def uploaded(gateway: Gateway, seed: int) -> dict[str, str]:
    answer = await gateway.upload(pictures.jpeg((96, 120), seed=seed))
    return {"upload_id": answer.json()["upload_id"]}


async def stored(gateway: Gateway) -> list[str]:
    return [key async for key in gateway.resources.store.keys("")]


async def test_a_session_is_accepted_and_made(gateway: Gateway) -> None:
    answer = await create(gateway, MINE | WAIT, seed="7", category="dresses")
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == body["urls"]["self"]
    assert answer.headers["preference-applied"] == "wait=20"
    assert (body["state"], body["user_token"], body["queue_position"]) == ("completed", None, None)
    (item,) = body["items"]
    assert (item["state"], item["cached"], item["error"]) == ("completed", False, None)
    assert (item["metadata"]["seed"], item["metadata"]["category"]) == (7, "dresses")
    picture = await gateway.client.get(item["result_urls"][0])
    assert Image.open(io.BytesIO(picture.content)).size == (768, 1024)
    assert await get(gateway, body["session_id"]) == {
        name: value for name, value in body.items() if name not in {"user_token", "webhook"}
    }


async def test_a_visitor_is_given_a_token_that_owns_the_session(gateway: Gateway) -> None:
    answer = await create(gateway, {})
    body = answer.json()
    assert body["user_token"] == answer.headers["x-user-token"]
    own = {"X-User-Token": body["user_token"]}
    assert (await gateway.client.get(body["urls"]["self"], headers=own)).status_code == 200
    assert (await gateway.client.get(body["urls"]["self"])).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", "/cancel"), ("DELETE", "")], ids=str
)
async def test_what_is_somebody_elses_is_not_there(
    gateway: Gateway, method: str, path: str
) -> None:
    body = (await create(gateway)).json()
    for headers in (FOREIGN, {}):
        url = body["urls"]["self"] + path
        answer = await gateway.client.request(method, url, headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "VAL_2006")
    listed = (await gateway.client.get(PATH, headers=FOREIGN)).json()
    assert listed == {"sessions": [], "next_cursor": None}
    assert (await get(gateway, body["session_id"]))["state"] in {
        "created",
        "processing",
        "completed",
    }


async def test_ten_of_the_same_request_at_once_are_one_session(gateway: Gateway) -> None:
    headers = MINE | {"Idempotency-Key": "order-7"}
    answers = await asyncio.gather(*(create(gateway, headers, seed="7") for _ in range(10)))
    assert len({answer.json()["session_id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    repeats = [answer for answer in answers if answer.status_code == 200]
    assert {answer.headers["idempotent-replayed"] for answer in repeats} == {"true"}
    assert len([key for key in await stored(gateway) if key.startswith("uploads/")]) == 2
    other = await create(gateway, headers, seed="8")
    assert (other.status_code, other.json()["error_code"]) == (409, "VAL_2010")


async def test_a_key_without_a_token_is_refused_as_it_could_not_work(gateway: Gateway) -> None:
    answer = await create(gateway, {"Idempotency-Key": "order-7"})
    assert answer.status_code == 422
    assert answer.json()["details"]["fields"][0]["field"] == "Idempotency-Key"


async def test_what_is_wrong_with_a_picture_or_an_option_is_told_at_once(gateway: Gateway) -> None:
    answer = await create(gateway, steps="30")
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    files = {"user_image": ("p.jpg", b"no picture", "image/jpeg")}
    files["garment_image"] = ("g.jpg", gateway.garment, "image/jpeg")
    answer = await gateway.client.post(PATH, headers=MINE, files=files)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VAL_2004")
    assert (await gateway.client.get(PATH, headers=MINE)).json()["sessions"] == []


async def test_cancelling_drops_what_is_being_made(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.SILENT)
    body = (await create(gateway)).json()
    await gateway.torchserve.was_asked.wait()
    answer = await gateway.client.post(body["urls"]["cancel"], headers=MINE)
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    await until(lambda: not gateway.resources.runner.running)
    again = await gateway.client.post(body["urls"]["cancel"], headers=MINE)
    assert again.json() == answer.json()


async def test_a_session_ends_by_itself_when_its_caller_said_so(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.SILENT)
    body = (await create(gateway, MINE | {"Cancel-After": "5s"})).json()
    await gateway.torchserve.was_asked.wait()
    gateway.clock.time_s += 5
    await gateway.resources.sessions.wait(body["session_id"], OWNER, 20)
    assert (await get(gateway, body["session_id"]))["state"] == "cancelled"


async def test_deleting_erases_photos_and_results_at_once(gateway: Gateway) -> None:
    body = (await create(gateway, MINE | WAIT)).json()
    link = body["items"][0]["result_urls"][0]
    assert len(await stored(gateway)) == 3
    answer = await gateway.client.delete(body["urls"]["self"], headers=MINE)
    assert answer.status_code == 200
    assert await stored(gateway) == []
    assert (await gateway.client.get(link)).status_code == 404
    assert (await gateway.client.get(body["urls"]["self"], headers=MINE)).status_code == 404


async def test_two_sessions_of_the_same_pictures_are_erased_by_themselves(gateway: Gateway) -> None:
    first = (await create(gateway, MINE | WAIT, seed="7")).json()
    second = (await create(gateway, MINE | WAIT, seed="7")).json()
    assert second["items"][0]["cached"] is True
    await gateway.client.delete(first["urls"]["self"], headers=MINE)
    link = second["items"][0]["result_urls"][0]
    assert (await gateway.client.get(link)).status_code == 200


async def test_what_is_over_is_erased_without_anybody_asking(gateway: Gateway) -> None:
    body = (await create(gateway, MINE | WAIT)).json()
    gateway.clock.time_s += 86_400
    assert (await gateway.client.get(body["urls"]["self"], headers=MINE)).status_code == 404
    await gateway.resources.sessions.erase_due()  # or what goes on beside has just done it
    assert await stored(gateway) == []


async def test_why_it_failed_is_told(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.REFUSES)
    body = (await create(gateway, MINE | WAIT)).json()
    assert body["state"] == "failed"
    error = body["items"][0]["error"]
    assert (error["error_code"], error["details"]["field"]) == ("ML_4005", "user_image")


async def test_what_may_go_better_is_tried_again(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.OUT_OF_MEMORY)
    body = (await create(gateway, MINE)).json()
    async with asyncio.timeout(HANGS_S):
        while (found := await get(gateway, body["session_id"]))["ended_at"] is None:
            gateway.clock.time_s += 1
            await asyncio.sleep(0.01)
    assert found["state"] == "completed"
    assert len(gateway.torchserve.asked) >= 2


@pytest.mark.prop(16)
async def test_of_a_batch_every_item_ends_with_its_own(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.REFUSES)
    people = [{"user_image": await uploaded(gateway, seed)} for seed in (1, 2)]
    garments = [
        {"garment_image": await uploaded(gateway, seed), "category": category}
        for seed, category in ((3, "dresses"), (4, "lower_body"), (5, "upper_body"))
    ]
    answer = await gateway.client.post(
        "/api/v1/tryon/batches",
        headers=MINE | WAIT,
        json={"people": people, "garments": garments, "options": {"seed": 7}},
    )
    body = answer.json()
    assert (answer.status_code, body["state"], body["kind"]) == (201, "completed", "batch")
    assert [(item["person"], item["garment"]) for item in body["items"]] == [
        (person, garment) for person in (0, 1) for garment in (0, 1, 2)
    ]
    states = [item["state"] for item in body["items"]]
    assert sorted(states) == ["completed"] * 5 + ["failed"]
    for item in body["items"]:
        assert bool(item["result_urls"]) != bool(item["error"])
        if item["metadata"]:
            assert item["metadata"]["category"] == garments[item["garment"]]["category"]


async def test_a_list_is_read_by_its_cursor(gateway: Gateway) -> None:
    made = set()
    for _ in range(3):
        made.add((await create(gateway)).json()["session_id"])
        gateway.clock.time_s += 1
    first = (await gateway.client.get(PATH, headers=MINE, params={"limit": 2})).json()
    assert len(first["sessions"]) == 2
    query = {"limit": 2, "cursor": first["next_cursor"]}
    second = (await gateway.client.get(PATH, headers=MINE, params=query)).json()
    assert second["next_cursor"] is None
    found = [one["session_id"] for page in (first, second) for one in page["sessions"]]
    assert (set(found), len(found)) == (made, 3)
    wrong = await gateway.client.get(PATH, headers=MINE, params={"cursor": "x"})
    assert wrong.status_code == 422


async def test_what_an_ended_gateway_had_in_hand_is_begun_by_the_next(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, storage={"url": f"file://{tmp_path}/objects"}) as first:
        first.torchserve.faults.append(Fault.SILENT)
        body = (await create(first)).json()
        await first.torchserve.was_asked.wait()
    async with running_gateway(tmp_path, storage={"url": f"file://{tmp_path}/objects"}) as second:
        found = await second.resources.sessions.wait(body["session_id"], OWNER, 20)
        assert found.state == "completed"
        assert found.items[0].attempt == 2
