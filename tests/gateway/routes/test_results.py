import io

import pytest

from tests.gateway.running import Gateway

pytestmark = pytest.mark.anyio


async def made(gateway: Gateway) -> str:
    url = (await gateway.tryon()).json()["result_url"]
    assert isinstance(url, str)
    return url


async def test_a_link_gives_the_picture_and_is_safe_to_embed(gateway: Gateway) -> None:
    answer = await gateway.client.get(await made(gateway))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, max-age=3600, immutable"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_the_name_of_a_picture_is_in_no_log(gateway: Gateway, log: io.StringIO) -> None:
    url = await made(gateway)
    assert (await gateway.client.get(url)).status_code == 200
    assert (await gateway.client.get(url.partition("?")[0])).status_code == 422
    assert url.partition("?")[0].rpartition("/")[2] not in log.getvalue()
    assert '"/api/v1/results/…"' in log.getvalue()


async def test_a_link_ends_with_its_hour(gateway: Gateway) -> None:
    url = await made(gateway)
    gateway.clock.time_s += 3600
    answer = await gateway.client.get(url)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "AUTH_1002")


async def test_a_changed_link_is_refused(gateway: Gateway) -> None:
    url = await made(gateway)
    expires = str(int(gateway.clock.now()) + 3600)
    later = url.replace(expires, str(int(expires) + 1))
    other = url.replace(".jpg", ".png")
    for changed in (later, other, url[:-1], url.partition("&")[0] + "&signature="):
        answer = await gateway.client.get(changed)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "AUTH_1001")


async def test_a_link_without_its_query_names_what_is_missing(gateway: Gateway) -> None:
    answer = await gateway.client.get((await made(gateway)).partition("?")[0])
    assert answer.status_code == 422
    fields = [fault["field"] for fault in answer.json()["details"]["fields"]]
    assert fields == ["query.expires", "query.signature"]


async def test_what_was_erased_is_not_found_and_made_anew(gateway: Gateway) -> None:
    url = await made(gateway)
    for key in [key async for key in gateway.resources.store.keys("results")]:
        await gateway.resources.store.delete(key)
    assert (await gateway.client.get(url)).status_code == 404
    assert (await gateway.tryon()).json()["cached"] is False
