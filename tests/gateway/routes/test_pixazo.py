"""The remote engine, against a stand-in that speaks its published protocol on loopback."""

import asyncio
import io
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gateway.domain.names import Folder
from gateway.domain.pixazo import CALLBACK_PATH
from gateway.errors.kinds import Misconfigured
from gateway.stand_ins.pixazo import KEY, Fault, PixazoStandIn
from tests.gateway.identity.crowd import pictures_of
from tests.gateway.running import HANGS_S, Gateway, running_gateway
from tests.gateway.torchserve_stand_in import serve

pytestmark = pytest.mark.anyio

CONFIG = Path(__file__).parents[3] / "config" / "pixazo.yaml"
ASKED = {"engine": "pixazo", "category": "dresses", "seed": 7, "garment_description": "a red dress"}


class Front:
    """The gateway as it is reached from outside, once it is there."""

    def __init__(self) -> None:
        self.app: Callable[..., Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@dataclass
class Place:
    """A gateway and the remote engine that it asks."""

    gateway: Gateway
    remote: PixazoStandIn
    public: httpx.AsyncClient

    async def dress(self, **fields: object) -> httpx.Response:
        """Ask the remote engine."""
        return await self.gateway.tryon(fields=ASKED | fields)

    async def objects(self) -> list[str]:
        """What lies in the store among the results."""
        return [key async for key in self.gateway.resources.store.keys(Folder.RESULTS)]


@asynccontextmanager
async def remote(folder: Path, fault: Fault = Fault.NONE, **sections: Any) -> AsyncIterator[Place]:  # noqa: ANN401
    """A gateway that is reached from outside, and the stand-in with a fault."""
    stand_in, front = PixazoStandIn(fault), Front()
    shutil.copy(CONFIG, folder)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(Starlette(routes=stand_in.routes())))
        public_url = await stack.enter_async_context(serve(front))
        told = {"key": KEY, "url": url, "is_stand_in": True, "poll_s": 0.2, "timeout_s": HANGS_S}
        told |= sections.pop("pixazo", {})
        gateway = await stack.enter_async_context(
            running_gateway(folder, pixazo=told, http={"public_url": public_url}, **sections)
        )
        front.app = gateway.client._transport.app  # type: ignore[attr-defined]
        public = await stack.enter_async_context(
            httpx.AsyncClient(base_url=public_url, timeout=HANGS_S)
        )
        yield Place(gateway, stand_in, public)
        stand_in.released.set()


async def test_it_dresses_and_the_answer_says_who_did(tmp_path: Path) -> None:
    async with remote(tmp_path, pixazo={"poll_s": 60.0}) as place:
        answer = await place.dress(output_format="webp")
        told = answer.json()
        assert answer.status_code == 200, answer.text
        assert (told["engine"], told["model_version"]) == ("pixazo", None)
        assert (told["licence"], told["commercial_use"]) == ("LicenseRef-Pixazo-Terms", False)
        assert told["metadata"]["warnings"][0]["code"] == "stand_in"
        picture = await place.public.get(told["result_url"])
        assert picture.headers["content-type"] == "image/webp"
        assert place.remote.polls == 0, "it called back"


async def test_it_is_asked_by_its_own_names_for_them(tmp_path: Path) -> None:
    async with remote(tmp_path) as place:
        await place.dress()
        asked = place.remote.asked[0]
        assert (asked["category"], asked["force_dc"], asked["seed"]) == ("dresses", True, 7)
        assert asked["garment_des"] == "a red dress"


async def test_the_photos_are_lent_for_the_time_of_the_work_alone(tmp_path: Path) -> None:
    async with remote(tmp_path) as place:
        told = (await place.dress()).json()
        assert len(await place.objects()) == 1, "the result"
        for name in ("human_img", "garm_img"):
            assert (await place.public.get(place.remote.asked[0][name])).status_code == 404
        assert (await place.public.get(told["result_url"])).status_code == 200


async def test_the_photos_of_a_session_are_lent_from_its_own_folder(tmp_path: Path) -> None:
    async with remote(tmp_path) as place:
        client, path = place.gateway.client, "/api/v1/tryon/sessions"
        made = await client.post(
            path, headers={"Prefer": "wait=20"}, files=pictures_of(place.gateway), data=ASKED
        )
        mine = made.json()["session_id"]
        for name in ("human_img", "garm_img"):
            link = place.remote.asked[0][name]
            assert f"/{mine}/" in link
            assert (await place.public.get(link)).status_code == 404, "no longer"


@pytest.mark.parametrize("form", [Fault.AT_ONCE, Fault.NO_CALL, Fault.CALL_ONLY, Fault.INTERIM])
async def test_every_way_to_its_picture_is_gone(tmp_path: Path, form: Fault) -> None:
    async with remote(tmp_path, form) as place:
        assert (await place.dress()).status_code == 200
        assert len(place.remote.asked) == 1


@pytest.mark.prop(43)
@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        (Fault.KEY_REFUSED, "EXT_5005", "key_refused"),
        (Fault.TOO_MANY, "EXT_5005", "too_many_requests"),
        (Fault.BROKEN, "EXT_5005", "failed"),
        (Fault.GARBAGE, "EXT_5005", "not_understood"),
        (Fault.NO_PICTURE, "EXT_5005", "no_picture"),
        (Fault.HUGE, "EXT_5005", "unreachable"),
        (Fault.REFUSED, "ML_4002", None),
        (Fault.FAILED, "ML_4002", None),
        (Fault.NEVER_DONE, "EXT_5004", None),
        (Fault.SILENT, "EXT_5004", None),
    ],
)
async def test_what_goes_wrong_there_has_a_code_here_and_leaves_nothing(
    tmp_path: Path, fault: Fault, code: str, reason: str | None
) -> None:
    limits = {"timeout_s": 0.5} if code == "EXT_5004" else {}
    async with remote(tmp_path, fault, pixazo=limits) as place:
        answer = await place.dress()
        told = answer.json()
        assert (told["error_code"], told.get("details", {}).get("reason")) == (code, reason)
        assert not any(shown in answer.text for shown in ("srv", "10.2.3.4", KEY))
        assert not await place.objects()


async def test_a_picture_on_a_private_address_is_not_fetched(tmp_path: Path) -> None:
    async with remote(tmp_path, Fault.INSIDE) as place:
        answer = (await place.dress()).json()
        assert len(place.remote.asked) == 1
        assert (answer["error_code"], answer["details"]["reason"]) == ("EXT_5005", "unreachable")


@pytest.mark.prop(44)
async def test_five_failures_open_its_circuit_and_others_serve(tmp_path: Path) -> None:
    async with remote(tmp_path, Fault.BROKEN, tryon={"fallback": "pixazo,geometric"}) as place:
        for seed in range(7):
            told = (await place.dress(seed=seed, garment_description="")).json()
            assert told["engine"] == "geometric"
        assert told["fallback_from"]["engine"] == "pixazo"
        assert len(place.remote.asked) == 5
        await place.gateway.resources.health.check()
        health = (await place.gateway.client.get("/health")).json()
        assert health["components"]["circuits"]["status"] == "degraded"
        assert health["components"]["circuits"]["details"]["pixazo"] == "open"


async def test_nobody_can_call_back_without_the_secret_of_a_request(tmp_path: Path) -> None:
    async with remote(tmp_path, Fault.NEVER_DONE) as place:
        asking = asyncio.ensure_future(place.dress())
        while not place.remote.asked:
            await asyncio.wait([asking], timeout=0.01)
        path = "/api/v1/engines/pixazo/callback/"
        guessed = await place.public.post(path + "guessed", content=b'{"output": "x"}')
        assert (guessed.status_code, guessed.json()["error_code"]) == (404, "VAL_2006")
        secret = place.remote.asked[0]["webhook"]
        assert (await place.public.post(secret, content=b" " * (65 << 10))).status_code == 413
        assert (await place.public.post(secret, content=b'{"status": "FAILED"}')).status_code == 204
        assert (await asking).json()["error_code"] == "ML_4002"
        assert (await place.public.post(secret, content=b"{}")).status_code == 404, "only once"


@pytest.mark.prop(38)
async def test_the_secret_of_a_request_is_written_nowhere(tmp_path: Path, log: io.StringIO) -> None:
    async with remote(tmp_path) as place:
        assert (await place.dress()).status_code == 200
        link = place.remote.asked[0]["webhook"]
        secret = link.rpartition("/")[2]
        for method in ("GET", "POST"):
            await place.public.request(method, link)
            await place.public.request(method, f"{link}/further")
        assert CALLBACK_PATH in log.getvalue()
        assert secret not in log.getvalue()
        assert secret not in (await place.gateway.client.get("/metrics")).text


async def test_without_a_key_there_is_no_such_engine(tmp_path: Path) -> None:
    shutil.copy(CONFIG, tmp_path)
    async with running_gateway(tmp_path) as gateway:
        answer = await gateway.tryon(fields=ASKED)
        assert answer.json()["error_code"] == "VAL_2001"


async def test_a_key_without_a_public_address_does_not_start(tmp_path: Path) -> None:
    shutil.copy(CONFIG, tmp_path)
    with pytest.raises(Misconfigured, match="VTON_HTTP__PUBLIC_URL"):
        async with running_gateway(tmp_path, pixazo={"key": KEY}):
            pass
