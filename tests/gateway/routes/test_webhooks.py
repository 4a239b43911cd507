"""Who is told of sessions: endpoints of an owner, one of a single session, and what they got."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.gateway.receiver import Receiver, receiving
from tests.gateway.running import Gateway, running_gateway
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio

HOOKS = "/api/v1/webhooks"
SESSIONS = "/api/v1/tryon/sessions"
MINE = {"X-User-Token": "m" * 32}
FOREIGN = {"X-User-Token": "f" * 32}
QUICK = {"poll_s": 0.05, "beat_s": 0.05, "progress_s": 0.01, "retry_first_s": 0.01}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running_gateway(
        tmp_path, sessions=QUICK, webhooks={"allow_private": True, "poll_s": 0.05}
    ) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as listening:
        yield listening


async def create(gateway: Gateway, query: str = "", **headers: str) -> httpx.Response:
    files = {
        "user_image": ("p.jpg", gateway.person, "image/jpeg"),
        "garment_image": ("g.jpg", gateway.garment, "image/jpeg"),
    }
    named = MINE | {"Prefer": "wait=20"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return await gateway.client.post(SESSIONS + query, headers=named, files=files)


def told(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in receiver.received]


async def deliveries(gateway: Gateway, path: str) -> list[dict[str, Any]]:
    answer = await gateway.client.get(f"{path}/deliveries", headers=MINE)
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


async def test_an_endpoint_is_told_of_every_session_and_can_verify_it(
    gateway: Gateway, receiver: Receiver
) -> None:
    made = await gateway.client.post(HOOKS, headers=MINE, json={"url": receiver.url})
    assert made.status_code == 201
    session = (await create(gateway)).json()
    await receiver.has_received(2)
    events = {one["type"]: one["data"] for one in told(receiver)}
    assert events.keys() == {"item.completed", "session.completed"}
    data = events["session.completed"]
    assert (data["session_id"], data["state"]) == (session["session_id"], "completed")
    assert "results/" not in json.dumps(events)
    first = receiver.received[0]
    library = Webhook(made.json()["secret"])
    # The gateway's clock is not the library's, so only what was signed is compared.
    stamp = int(first.headers["webhook-timestamp"])
    assert stamp == int(gateway.clock.now())
    signed = library.sign(
        first.headers["webhook-id"], datetime.fromtimestamp(stamp, UTC), first.body.decode()
    )
    assert first.headers["webhook-signature"] == signed


async def test_a_session_brings_an_endpoint_of_its_own_that_is_told_what_it_asked_for(
    gateway: Gateway, receiver: Receiver
) -> None:
    query = f"?webhook_url={receiver.url}/one&webhook_events=session.completed"
    made = await create(gateway, query, Idempotency_Key="k1")
    webhook = made.json()["webhook"]
    assert webhook["events"] == ["session.completed"]
    assert webhook["secret"].startswith("whsec_")
    await create(gateway)
    await receiver.has_received(1)
    again = await create(gateway, query, Idempotency_Key="k1")
    assert again.status_code == 200
    assert again.json()["webhook"] == webhook
    assert [one["type"] for one in told(receiver)] == ["session.completed"]
    other = f"?webhook_url={receiver.url}/two"
    assert (await create(gateway, other, Idempotency_Key="k1")).status_code == 409
    assert (await gateway.client.get(HOOKS, headers=MINE)).json() == {"webhooks": []}


async def test_cancelled_and_failed_sessions_are_told_too(
    gateway: Gateway, receiver: Receiver
) -> None:
    await gateway.client.post(HOOKS, headers=MINE, json={"url": receiver.url})
    gateway.torchserve.faults.append(Fault.REFUSES)
    await create(gateway)
    await receiver.has_received(2)
    assert {one["type"] for one in told(receiver)} == {"item.failed", "session.failed"}
    failed = next(one["data"] for one in told(receiver) if one["type"] == "item.failed")
    assert failed["error_code"].startswith("ML_")
    gateway.torchserve.faults.append(Fault.STALLS)
    held = await create(gateway, Prefer="wait=0")
    cancel = held.json()["urls"]["cancel"]
    assert (await gateway.client.post(cancel, headers=MINE)).json()["state"] == "cancelled"
    await receiver.has_received(3)
    assert told(receiver)[2]["type"] == "session.cancelled"


async def test_deliveries_are_shown_and_can_be_made_again(
    gateway: Gateway, receiver: Receiver
) -> None:
    body = {"url": receiver.url, "events": ["session.completed"]}
    made = (await gateway.client.post(HOOKS, headers=MINE, json=body)).json()
    receiver.statuses.append(500)
    session = (await create(gateway)).json()
    await receiver.has_received(1)
    path = f"{SESSIONS}/{session['session_id']}"
    (one,) = await deliveries(gateway, path)
    assert one["event"] == "session.completed"
    again = f"{HOOKS}/deliveries/{one['message_id']}/redeliver"
    assert (await gateway.client.post(again, headers=FOREIGN)).status_code == 404
    assert (await gateway.client.post(again, headers=MINE)).status_code == 204
    await receiver.has_received(2)
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == one["message_id"]
    assert len(await deliveries(gateway, f"{HOOKS}/{made['webhook_id']}")) == 1


async def test_endpoints_are_listed_rotated_and_removed_by_their_owner_alone(
    gateway: Gateway, receiver: Receiver
) -> None:
    made = (await gateway.client.post(HOOKS, headers=MINE, json={"url": receiver.url})).json()
    (listed,) = (await gateway.client.get(HOOKS, headers=MINE)).json()["webhooks"]
    assert listed == made | {"secret": None}
    path = f"{HOOKS}/{made['webhook_id']}"
    for method, url in (("POST", f"{path}/rotate"), ("DELETE", path), ("POST", f"{path}/enable"),
                        ("GET", f"{path}/deliveries")):  # fmt: skip
        assert (await gateway.client.request(method, url, headers=FOREIGN)).status_code == 404
    rotated = (await gateway.client.post(f"{path}/rotate", headers=MINE)).json()
    assert rotated["secret"] != made["secret"]
    assert (await gateway.client.delete(path, headers=MINE)).status_code == 204
    assert (await gateway.client.get(HOOKS, headers=MINE)).json() == {"webhooks": []}


@pytest.mark.parametrize("url", ["ftp://shop.example/", "nonsense", "http://user:p@shop.example/"])
async def test_a_wrong_address_is_named(gateway: Gateway, url: str) -> None:
    answer = await gateway.client.post(HOOKS, headers=MINE, json={"url": url})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "VAL_2001")
    answer = await gateway.client.post(
        SESSIONS, params={"webhook_url": url}, headers=MINE, files={}
    )
    assert answer.json()["details"]["fields"][0]["field"] == "webhook_url"


async def test_a_private_address_is_not_told_of_anything(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as gateway:
        body = {"url": "http://127.0.0.1/"}
        answer = await gateway.client.post(HOOKS, headers=MINE, json=body)
        assert answer.status_code == 422


async def test_what_nobody_will_ever_deliver_is_not_queued(tmp_path: Path) -> None:
    idle = {"allow_private": True, "is_running": False}
    async with running_gateway(tmp_path, sessions=QUICK, webhooks=idle) as others_deliver:
        url = {"url": "http://127.0.0.1:9/hook"}
        made = await others_deliver.client.post(HOOKS, headers=MINE, json=url)
        path = f"{HOOKS}/{made.json()['webhook_id']}"
        await create(others_deliver)
        assert len(await deliveries(others_deliver, path)) == 2
    off = {"webhooks": False}
    async with running_gateway(tmp_path, sessions=QUICK, features=off) as without:
        assert (await create(without)).json()["state"] == "completed"
        assert without.torchserve.asked
    async with running_gateway(tmp_path, webhooks=idle) as others_deliver:
        assert len(await deliveries(others_deliver, path)) == 2


@pytest.mark.parametrize("is_on", [True, False])
async def test_messages_are_erased_in_time_whoever_delivers_them(
    tmp_path: Path, *, is_on: bool
) -> None:
    idle = {"allow_private": True, "is_running": False, "kept_s": 60}
    async with running_gateway(tmp_path, sessions=QUICK, webhooks=idle) as others_deliver:
        url = {"url": "http://127.0.0.1:9/hook"}
        made = await others_deliver.client.post(HOOKS, headers=MINE, json=url)
        path = f"{HOOKS}/{made.json()['webhook_id']}"
        session = (await create(others_deliver)).json()
    told: dict[str, Any] = {"webhooks": idle, "features": {"webhooks": is_on}}
    async with running_gateway(tmp_path, **told) as gateway:
        job = gateway.resources.erasing.job
        for wait_s, erased in ((59, 0), (2, 2)):
            gateway.clock.time_s += wait_s
            await job.run()
            assert job.totals["webhook_messages"] == erased
        kept = await gateway.client.get(f"{SESSIONS}/{session['session_id']}", headers=MINE)
        assert kept.status_code == 200
    async with running_gateway(tmp_path, webhooks=idle) as others_deliver:
        assert await deliveries(others_deliver, path) == []
