"""What a session was made with, shown to its owner."""

import io
from base64 import b64encode
from typing import Any

import httpx
import pytest

from gateway.domain.uploads import Upload
from tests.gateway.identity.crowd import pictures_of
from tests.gateway.pictures import jpeg
from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio

PATH = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}
FOREIGN = {"X-User-Token": "f" * 32}
PERSON = jpeg((96, 120), seed=1)
GARMENTS = [jpeg((80, 90), seed=seed) for seed in (2, 3)]


def encoded(picture: bytes) -> dict[str, str]:
    return {"base64": b64encode(picture).decode()}


async def batch(gateway: Gateway) -> dict[str, Any]:
    body = {
        "people": [{"user_image": encoded(PERSON)}],
        "garments": [{"garment_image": encoded(one)} for one in GARMENTS],
    }
    answer = await gateway.client.post("/api/v1/tryon/batches", headers=MINE, json=body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def shown(gateway: Gateway) -> list[dict[str, str]]:
    """The links of a batch's items, made just now."""
    answer = await gateway.client.get((await batch(gateway))["urls"]["inputs"], headers=MINE)
    return [item["image_urls"] for item in answer.json()["items"]]


async def normalised(gateway: Gateway, picture: bytes) -> bytes:
    upload = Upload("user_image", picture, "image/jpeg")
    return (await gateway.resources.pictures.photo(upload)).png


async def test_every_item_shows_its_pictures_as_they_are_kept(gateway: Gateway) -> None:
    items = await shown(gateway)
    assert len({one["user_image"] for one in items}) == 1, "one picture, one link"
    for links, garment in zip(items, GARMENTS, strict=True):
        for field, sent in (("user_image", PERSON), ("garment_image", garment)):
            answer = await gateway.client.get(links[field])
            assert answer.headers["content-type"] == "image/png"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "private, max-age=900, immutable"
            assert answer.content == await normalised(gateway, sent)


async def test_there_is_nothing_behind_the_links_of_a_session_that_is_yet_to_be_erased(
    gateway: Gateway,
) -> None:
    """Whoever deletes one has done with it, even while the store refuses to erase."""
    headers = MINE | {"Prefer": "wait=30"}
    answer = await gateway.client.post(PATH, headers=headers, files=pictures_of(gateway))
    made = answer.json()
    inputs = (await gateway.client.get(made["urls"]["inputs"], headers=MINE)).json()
    links = [*inputs["items"][0]["image_urls"].values(), *made["items"][0]["result_urls"]]
    direct = (await gateway.tryon()).json()["result_url"]
    assert len(links) == 3
    for link in (*links, direct):
        assert (await gateway.client.get(link)).status_code == 200
    owner = await gateway.resources.watch.owner_of(made["session_id"])
    assert await gateway.resources.sessions._book.forget(made["session_id"], owner)
    for link in links:
        answer = await gateway.client.get(link)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "VAL_2006")
    assert (await gateway.client.get(direct)).status_code == 200


async def test_only_the_owner_is_given_links(gateway: Gateway) -> None:
    url = (await batch(gateway))["urls"]["inputs"]
    for headers in (FOREIGN, {}):
        assert (await gateway.client.get(url, headers=headers)).status_code == 404


async def test_a_link_is_good_for_its_picture_and_its_quarter_of_an_hour(gateway: Gateway) -> None:
    first, second = (httpx.URL(one["garment_image"]) for one in await shown(gateway))
    swapped = await gateway.client.get(first.path, params=dict(second.params))
    assert (swapped.status_code, swapped.json()["error_code"]) == (401, "AUTH_1001")
    as_result = first.path.replace("/inputs/", "/results/")
    assert (await gateway.client.get(as_result, params=dict(first.params))).status_code == 401
    gateway.clock.time_s += 900
    late = await gateway.client.get(first)
    assert (late.status_code, late.json()["error_code"]) == (401, "AUTH_1002")


async def test_a_picture_goes_with_its_session_and_its_name_is_in_no_log(
    gateway: Gateway, log: io.StringIO
) -> None:
    made = await batch(gateway)
    answer = await gateway.client.get(made["urls"]["inputs"], headers=MINE)
    link = httpx.URL(answer.json()["items"][0]["image_urls"]["user_image"])
    assert (await gateway.client.get(link)).status_code == 200
    assert (await gateway.client.delete(made["urls"]["self"], headers=MINE)).status_code == 200
    assert (await gateway.client.get(link)).status_code == 404
    assert (await gateway.client.get(made["urls"]["inputs"], headers=MINE)).status_code == 404
    assert link.path.rpartition("/")[2] not in log.getvalue()
    assert '"/api/v1/inputs/…"' in log.getvalue()
