"""A shop's catalogue: garments that stay, an engine ready for each, and try-ons by their names."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from gateway.schemas.auth import KeyBody
from tests.gateway.running import Gateway
from tests.gateway.steps_stand_in import stepping_gateway

pytestmark = pytest.mark.anyio

PATH = "/api/v1/garments"
TOKEN = "a-token-that-is-long-enough-to-be-one"  # noqa: S105 - of these tests alone


async def added(gateway: Gateway, headers: dict[str, str] | None = None, **told: object) -> Any:  # noqa: ANN401
    fields = {"category": "dresses", **told}
    return await gateway.client.post(
        PATH,
        files={"garment_image": ("dress.jpg", gateway.garment, "image/jpeg")},
        data={name: str(value) for name, value in fields.items()},
        headers=headers,
    )


async def worn(gateway: Gateway, garment_id: str, **told: object) -> httpx.Response:
    return await gateway.client.post(
        "/api/v1/process-tryon",
        files={"user_image": ("me.jpg", gateway.person, "image/jpeg")},
        data={"garment_id": garment_id, **{name: str(value) for name, value in told.items()}},
    )


async def test_a_garment_is_kept_and_its_engine_sees_it_at_once(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        answer = await added(gateway, garment_description="a red dress")
        assert answer.status_code == 201
        body = answer.json()
        assert (body["warmed"], body["reason"], body["pinned"]) == (True, None, True)
        assert (body["category"], body["engine"]) == ("dresses", "stepping")
        assert (body["width_px"], body["height_px"]) == (96, 120)
        [asked] = worker.asked
        assert json.loads(asked["params"]) == {
            "task": "garment",
            "category": "dresses",
            "garment_description": "a red dress",
            "pinned": True,
        }
        assert Image.open(io.BytesIO(asked["garment_image"])).size == (96, 120)
        assert "person_image" not in asked
        got = await gateway.client.get(f"{PATH}/{body['garment_id']}")
        assert got.json() == body


async def test_a_garment_is_worn_by_its_name_as_if_its_photo_were_sent(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        garment = (await added(gateway, garment_description="a red dress")).json()
        answer = await worn(gateway, garment["garment_id"])
        assert answer.status_code == 200
        shown, tried = worker.asked
        assert tried["garment_image"] == shown["garment_image"]
        params = json.loads(tried["params"])
        assert (params["category"], params["garment_description"]) == ("dresses", "a red dress")
        told = {"category": "dresses", "garment_description": "a red dress"}
        assert (await gateway.tryon(fields=told)).json()["cached"] is True
        other = await worn(gateway, garment["garment_id"], category="upper_body")
        assert json.loads(worker.asked[-1]["params"])["category"] == "upper_body"
        assert other.json()["cached"] is False


async def test_a_garment_is_worn_by_its_name_in_json_too(gateway: Gateway) -> None:
    garment = (await added(gateway)).json()
    person = (await gateway.upload(gateway.person)).json()
    body = {"user_image": {"upload_id": person["upload_id"]}, "garment_id": garment["garment_id"]}
    assert (await gateway.tryon_json(body)).status_code == 200
    assert json.loads(gateway.torchserve.asked[-1]["params"])["category"] == "dresses"


async def test_an_engine_that_gains_nothing_is_not_asked(gateway: Gateway) -> None:
    body = (await added(gateway)).json()
    assert (body["warmed"], body["reason"]) == (False, "not_needed")
    assert gateway.torchserve.asked == []


async def test_an_engine_that_fails_does_not_keep_a_garment_out(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        worker.refusal = {"error_code": "ML_4002", "message": "It failed.", "details": {}}
        answer = await added(gateway)
        assert answer.status_code == 201
        assert (answer.json()["warmed"], answer.json()["reason"]) == (False, "ML_4002")


@pytest.mark.parametrize(("code", "status"), [("ML_4005", 422), ("ML_4008", 409)])
async def test_a_garment_that_the_engine_refuses_is_not_kept(
    tmp_path: Path, code: str, status: int
) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        worker.refusal = {"error_code": code, "message": "No.", "details": {}}
        answer = await added(gateway)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)
        assert answer.json()["details"] == {"field": "garment_image"}
        assert (await gateway.client.get(PATH)).json()["garments"] == []


async def test_the_catalogue_is_read_page_by_page_the_newest_first(gateway: Gateway) -> None:
    names = []
    for _ in range(5):
        gateway.clock.time_s += 1
        names.append((await added(gateway)).json()["garment_id"])
    pages: list[list[str]] = []
    cursor = None
    while cursor is not None or not pages:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await gateway.client.get(PATH, params=query)).json()
        pages.append([garment["garment_id"] for garment in page["garments"]])
        cursor = page["next_cursor"]
    assert pages == [names[4:2:-1], names[2:0:-1], names[:1]]


async def test_a_garment_outlives_what_shoppers_send(gateway: Gateway) -> None:
    garment = (await added(gateway)).json()
    await gateway.upload(gateway.person)
    gateway.clock.time_s += 400 * 86_400
    await gateway.resources.erasing.retention.sweep()  # or what goes on beside has just done it
    assert [key async for key in gateway.resources.store.keys("uploads")] == []
    assert (await worn(gateway, garment["garment_id"])).status_code == 200


async def test_a_deleted_garment_is_gone_and_its_engine_forgets_it(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path) as (gateway, worker):
        garment_id = (await added(gateway)).json()["garment_id"]
        assert (await gateway.client.delete(f"{PATH}/{garment_id}")).status_code == 204
        assert json.loads(worker.asked[-1]["params"])["pinned"] is False
        assert [key async for key in gateway.resources.store.keys("garments")] == []
        for answer in (
            await gateway.client.get(f"{PATH}/{garment_id}"),
            await gateway.client.delete(f"{PATH}/{garment_id}"),
            await worn(gateway, garment_id),
        ):
            assert (answer.status_code, answer.json()["error_code"]) == (404, "VAL_2006")
            assert answer.json()["details"] == {"field": "garment_id"}


async def test_a_photo_and_a_name_are_one_too_many(gateway: Gateway) -> None:
    garment_id = (await added(gateway)).json()["garment_id"]
    answer = await gateway.tryon(fields={"garment_id": garment_id})
    assert answer.status_code == 422
    faults = answer.json()["details"]["fields"]
    assert [fault["field"] for fault in faults] == ["garment_image", "garment_id"]


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({"category": "hats"}, ["category"]),
        ({"pinned": "perhaps"}, ["pinned"]),
        ({"engine": "nobody"}, ["engine"]),
        ({"colour": "red"}, ["colour"]),
        ({"garment_description": "x" * 501}, ["garment_description"]),
    ],
)
async def test_what_is_wrong_with_a_garment_is_named(
    gateway: Gateway, told: dict[str, Any], wrong: list[str]
) -> None:
    answer = await added(gateway, **told)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    assert [fault["field"] for fault in answer.json()["details"]["fields"]] == wrong


@pytest.mark.parametrize("query", ["limit=0", "limit=many", "cursor=../x"])
async def test_a_wrong_page_is_refused_by_name(gateway: Gateway, query: str) -> None:
    answer = await gateway.client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")


async def test_where_a_token_is_set_only_its_bearer_changes_the_catalogue(tmp_path: Path) -> None:
    async with stepping_gateway(tmp_path, admin={"token": TOKEN}) as (gateway, _):
        assert (await added(gateway)).json()["error_code"] == "AUTH_1003"
        wrong = await added(gateway, {"Authorization": "Bearer nonsense"})
        assert (wrong.status_code, wrong.json()["error_code"]) == (401, "AUTH_1001")
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        garment_id = (await added(gateway, bearer)).json()["garment_id"]
        assert (await gateway.client.delete(f"{PATH}/{garment_id}")).status_code == 401
        assert (await gateway.client.get(PATH)).status_code == 200
        gone = await gateway.client.delete(f"{PATH}/{garment_id}", headers=bearer)
        assert gone.status_code == 204


async def test_outside_development_nobody_changes_it_without_a_token(tmp_path: Path) -> None:
    staging = {"environment": "staging", "storage": {"signing_secret": "s" * 32}}
    storage = staging["storage"] | {"url": (tmp_path / "objects").as_uri()}  # type: ignore[operator]
    limits = {"anonymous_per_min": 60, "inference_per_min": 60}
    told = {**staging, "storage": storage, "limits": limits}
    async with stepping_gateway(tmp_path, **told) as (gateway, _):
        nobody = await added(gateway)
        assert (nobody.status_code, nobody.json()["error_code"]) == (401, "AUTH_1003")
        bearer = {"Authorization": f"Bearer {await _operators_key(gateway)}"}
        assert (await added(gateway, bearer)).status_code == 201


async def _operators_key(gateway: Gateway) -> str:
    """A key that was made beside the API."""
    body = KeyBody(name="shop", scopes=["catalogue"])
    _, text = await gateway.resources.doors.keys.make(body.wish(body.client))
    return text
