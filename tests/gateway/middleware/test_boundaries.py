import asyncio

import httpx
import pytest
from starlette.types import ASGIApp, Message, Scope

from gateway.app import create_app
from gateway.settings.tree import Settings
from tests.gateway.running import Gateway
from tests.gateway.socket_asking import asked_by_socket
from tests.gateway.torchserve_stand_in import Fault

pytestmark = pytest.mark.anyio


async def test_a_harmless_request_id_is_kept(gateway: Gateway) -> None:
    answer = await gateway.client.get("/health", headers={"X-Request-Id": "order-1234.5_x"})
    assert answer.headers["x-request-id"] == "order-1234.5_x"


@pytest.mark.parametrize("bad", ["", "short", "x" * 65, "a b c d e f", "<script>alert(1)", "é" * 9])
async def test_another_is_replaced(gateway: Gateway, bad: str) -> None:
    answer = await gateway.client.get("/health", headers={b"X-Request-Id": bad.encode()})
    assert len(answer.headers["x-request-id"]) == 32


def _client(gateway: Gateway, **http: object) -> httpx.AsyncClient:
    settings = Settings.model_validate({"http": http})
    transport = httpx.ASGITransport(create_app(settings, gateway.resources))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def test_only_listed_origins_may_call_from_a_browser(gateway: Gateway) -> None:
    async with _client(gateway, cors_origins="https://shop.example") as client:
        for origin, allowed in (("https://shop.example", True), ("https://evil.example", False)):
            answer = await client.get("/health", headers={"Origin": origin})
            assert ("access-control-allow-origin" in answer.headers) is allowed
    answer = await gateway.client.get("/health", headers={"Origin": "https://shop.example"})
    assert "access-control-allow-origin" not in answer.headers


async def test_an_error_can_be_read_by_an_allowed_origin(gateway: Gateway) -> None:
    headers = {"Origin": "https://shop.example", "Content-Length": str(1 << 40)}
    async with _client(gateway, cors_origins="https://shop.example") as client:
        answer = await client.post("/api/v1/uploads", content=b"", headers=headers)
    assert answer.status_code == 413
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


async def test_a_page_of_an_allowed_origin_reads_what_is_said_of_its_session(
    gateway: Gateway,
) -> None:
    async with _client(gateway, cors_origins="https://shop.example") as client:
        photo = ("p.jpg", gateway.person, "image/jpeg")
        answer = await client.post(
            "/api/v1/tryon/sessions",
            files={"user_image": photo, "garment_image": photo},
            headers={"Origin": "https://shop.example", "Prefer": "wait=1"},
        )
    shown = answer.headers["access-control-expose-headers"].lower()
    assert {"location", "preference-applied", "x-user-token"} <= answer.headers.keys()
    for name in ("location", "preference-applied", "idempotent-replayed", "x-user-token"):
        assert name in {one.strip() for one in shown.split(",")}


async def test_a_made_up_method_makes_no_metric_of_its_own(gateway: Gateway) -> None:
    await gateway.client.request("BREW", "/nope")
    text = (await gateway.client.get("/metrics")).text
    assert "BREW" not in text
    assert 'vton_http_requests_total{method="OTHER",route="(none)",status="404"} 1.0' in text


@pytest.mark.parametrize("limit", ["body_stall_s", "body_s"])
async def test_a_body_that_stops_arriving_is_answered(gateway: Gateway, limit: str) -> None:
    settings = Settings.model_validate({"http": {limit: 0.01}})
    app = create_app(settings, gateway.resources)
    sent = await _post_without_end(app)
    assert sent[0]["status"] == 408
    assert b"VAL_2009" in sent[1]["body"]


async def _post_without_end(app: ASGIApp) -> list[Message]:
    """Send the beginning of a form, and then nothing."""
    first = [{"type": "http.request", "body": b"--edge\r\n", "more_body": True}]
    sent: list[Message] = []

    async def receive() -> Message:
        if first:
            return first.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(), receive, send)
    return sent


def _scope() -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/uploads",
        "raw_path": b"/api/v1/uploads",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"multipart/form-data; boundary=edge")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }


async def test_a_client_that_leaves_is_no_error(gateway: Gateway) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    app: ASGIApp = create_app(Settings(), gateway.resources)
    await app(_scope(), receive, send)
    assert sent == []


async def test_a_shutdown_gives_its_open_requests_an_answer(gateway: Gateway) -> None:
    gateway.torchserve.faults.append(Fault.STALLS)
    request = asyncio.ensure_future(gateway.tryon())
    await gateway.torchserve.was_asked.wait()
    request.cancel()
    answer = await request
    assert (answer.status_code, answer.json()["error_code"]) == (503, "RATE_3002")


async def test_requests_errors_and_retries_are_counted(gateway: Gateway) -> None:
    await gateway.tryon()
    await gateway.tryon()
    await gateway.tryon(fields={"steps": 3})
    text = (await gateway.client.get("/metrics")).text
    route = 'method="POST",route="/api/v1/process-tryon"'
    assert f'vton_http_requests_total{{{route},status="200"}} 2.0' in text
    assert 'vton_errors_total{error_code="VAL_2001"} 1.0' in text
    assert 'vton_result_cache_total{outcome="hit"} 1.0' in text
    assert 'vton_inference_seconds_count{engine="geometric",outcome="ok"} 1.0' in text
    assert 'vton_worker_cache_total{engine="geometric",outcome="miss",part="person"} 1.0' in text


async def test_a_socket_that_is_refused_is_counted_as_every_refusal(gateway: Gateway) -> None:
    app = create_app(gateway.resources.settings, gateway.resources)
    assert (await asked_by_socket(app, "/ws/tryon/none", {})).status_code == 404
    text = (await gateway.client.get("/metrics")).text
    route = 'method="GET",route="/ws/tryon/{session_id}"'
    assert f'vton_http_requests_total{{{route},status="404"}} 1.0' in text
