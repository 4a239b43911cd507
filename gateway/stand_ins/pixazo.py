"""Stands in for Pixazo's hosted try-on: the published protocol, and two pictures side by side.

`python -m gateway.stand_ins.pixazo PORT` serves it on loopback; PUT /faults/{fault} makes every
request go wrong, `none` ends that.
"""

import asyncio
import io
import json
import secrets
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import httpx
import uvicorn
from PIL import Image, ImageDraw
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY: Final = "stand-in-pixazo-key"  # no secret: it opens nothing
PATH: Final = "/virtual-tryon/v1/r-vton"
_LABEL: Final = "STAND-IN, NOT A TRY-ON"
_CALL_S: Final = 60.0
_REQUIRED: Final = frozenset({"category", "garm_img", "human_img"})
_KNOWN: Final = _REQUIRED | {"crop", "seed", "steps", "force_dc", "mask_only", "garment_des"}
_CATEGORIES: Final = frozenset({"upper_body", "lower_body", "dresses"})


class Fault(StrEnum):
    """What can go wrong with one request."""

    NONE = "none"
    AT_ONCE = "at_once"  # the picture in the first answer: no fault, but another form
    NO_CALL = "no_call"  # no call back: it has to be asked
    INTERIM = "interim"  # it calls back how far it is, and a page, but not the end
    CALL_ONLY = "call_only"  # asked, it says 403, as a shield before it does
    KEY_REFUSED = "key_refused"  # 401
    TOO_MANY = "too_many"  # 429
    BROKEN = "broken"  # 500, showing its insides
    REFUSED = "refused"  # 400
    FAILED = "failed"  # accepted, then failed
    GARBAGE = "garbage"  # 200, and no JSON
    SILENT = "silent"  # no answer before `released`
    NEVER_DONE = "never_done"  # nor are the photos fetched, before it ends
    INSIDE = "inside"  # the picture lies where clouds keep their secrets
    NO_PICTURE = "no_picture"  # a page instead of a picture
    HUGE = "huge"  # a picture without an end


_STATUS: Final = {
    Fault.KEY_REFUSED: 401,
    Fault.TOO_MANY: 429,
    Fault.BROKEN: 500,
    Fault.REFUSED: 400,
}
_INTERNAL: Final = "KeyError at /srv/app/tryon.py:17 on 10.2.3.4"
_INSIDE: Final = "http://169.254.169.254/latest/meta-data/"


@dataclass
class PixazoStandIn:
    """What it was asked, what it made, and what is to go wrong."""

    fault: Fault = Fault.NONE
    asked: list[dict[str, Any]] = field(default_factory=list)
    polls: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _made: dict[str, bytes] = field(default_factory=dict)
    _queued: dict[str, dict[str, Any]] = field(default_factory=dict)
    _calls: set["asyncio.Task[None]"] = field(default_factory=set)

    def routes(self) -> list[Route]:
        """Where it answers."""
        return [
            Route(PATH, self._generate, methods=["POST"]),
            Route("/v2/requests/status/{request_id}", self._status),
            Route("/media/{request_id}.jpg", self._media, name="media"),
            Route("/faults/{fault}", self._put, methods=["PUT"]),
        ]

    async def _put(self, request: Request) -> Response:
        if request.path_params["fault"] not in set(Fault):
            return JSONResponse({"faults": [*Fault]}, 404)
        self.fault = Fault(request.path_params["fault"])
        return Response(status_code=204)

    async def _generate(self, request: Request) -> Response:
        if request.headers.get("ocp-apim-subscription-key") != KEY:
            return JSONResponse({"statusCode": 401, "message": "Access denied."}, 401)
        asked = await request.json()
        if wrong := _wrong(asked):
            return JSONResponse({"error": wrong}, 400)
        webhook = request.headers.get("x-webhook-url", "")
        self.asked.append({**asked, "webhook": webhook})
        if self.fault is Fault.SILENT:
            await self.released.wait()
        if self.fault in _STATUS:
            return JSONResponse({"error": _INTERNAL}, _STATUS[self.fault])
        if self.fault is Fault.GARBAGE:
            return Response(b"<html>" + b"[" * 5000, media_type="text/html")
        return await self._accepted(request, asked, webhook)

    async def _accepted(self, request: Request, asked: dict[str, Any], webhook: str) -> Response:
        request_id = secrets.token_hex(8)
        if self.fault is Fault.NEVER_DONE:
            self._made[request_id], self._queued[request_id] = b"", asked
        else:
            self._made[request_id] = await _side_by_side(asked["human_img"], asked["garm_img"])
        done = self._done(request, request_id)
        if self.fault is Fault.AT_ONCE:
            return JSONResponse({"output": done["output"]["media_url"][0]})
        if webhook and self.fault not in {Fault.NO_CALL, Fault.NEVER_DONE}:
            told = [json.dumps(done)]
            if self.fault is Fault.INTERIM:
                told = [json.dumps(done | {"status": "PROCESSING", "output": None}), "<html>"]
            task = asyncio.create_task(_call_back(webhook, told))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        polling = f"{request.base_url}v2/requests/status/{request_id}"
        queued = {"request_id": request_id, "status": "QUEUED", "polling_url": polling}
        return JSONResponse(queued, 202)

    def _done(self, request: Request, request_id: str) -> dict[str, Any]:
        if self.fault is Fault.FAILED:
            return {"request_id": request_id, "status": "FAILED", "error": _INTERNAL}
        url = str(request.url_for("media", request_id=request_id))
        output = {"media_url": [_INSIDE if self.fault is Fault.INSIDE else url]}
        return {"request_id": request_id, "status": "COMPLETED", "output": output}

    async def _status(self, request: Request) -> Response:
        self.polls += 1
        request_id = request.path_params["request_id"]
        if request.headers.get("ocp-apim-subscription-key") != KEY or request_id not in self._made:
            return JSONResponse({"error": "not found"}, 404)
        if self.fault is Fault.CALL_ONLY:
            return Response("Just a moment...", 403, media_type="text/html")
        if self.fault is Fault.NEVER_DONE:
            return JSONResponse({"request_id": request_id, "status": "PROCESSING"})
        if asked := self._queued.pop(request_id, None):
            try:
                made = await _side_by_side(asked["human_img"], asked["garm_img"])
            except httpx.HTTPStatusError:
                return JSONResponse({"request_id": request_id, "status": "FAILED"})
            self._made[request_id] = made
        return JSONResponse(self._done(request, request_id))

    async def _media(self, request: Request) -> Response:
        if "ocp-apim-subscription-key" in request.headers:
            return JSONResponse({"error": "the key is not for everybody"}, 400)
        if self.fault is Fault.NO_PICTURE:
            return Response("<html>Sorry</html>", media_type="text/html")
        made = self._made[request.path_params["request_id"]]
        padding = b" " * (32 << 20) if self.fault is Fault.HUGE else b""
        return Response(made + padding, media_type="image/jpeg")


def _wrong(asked: dict[str, Any]) -> str:
    """What the real service would refuse; empty for a good request."""
    if missing := sorted(_REQUIRED - asked.keys()):
        return f"missing: {missing}"
    if unknown := sorted(asked.keys() - _KNOWN):
        return f"unknown: {unknown}"
    return "" if asked["category"] in _CATEGORIES else "unknown category"


async def _side_by_side(*urls: str) -> bytes:
    """Both pictures beside each other, labelled, as JPEG."""
    async with httpx.AsyncClient(trust_env=False, timeout=_CALL_S) as client:
        answers = [await client.get(url) for url in urls]
    sheet = Image.new("RGB", (768, 1024), "white")
    for place, answer in enumerate(answers):
        with Image.open(io.BytesIO(answer.raise_for_status().content)) as picture:
            sheet.paste(picture.convert("RGB").resize((384, 960)), (384 * place, 64))
    ImageDraw.Draw(sheet).text((24, 24), _LABEL, fill="red")
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG")
    return buffer.getvalue()


async def _call_back(url: str, told: list[str]) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=_CALL_S) as client:
        headers = {"Content-Type": "application/json"}
        for content in told:
            await client.post(url, content=content, headers=headers)


def settings_for(url: str, public_url: str) -> dict[str, str]:
    """The environment variables that lead a gateway at `public_url` to the stand-in at `url`."""
    return {
        "VTON_PIXAZO__IS_STAND_IN": "true",
        "VTON_PIXAZO__URL": url,
        "VTON_PIXAZO__KEY": KEY,
        "VTON_HTTP__PUBLIC_URL": public_url,
    }


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=PixazoStandIn().routes()),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=False,
        log_level="warning",
    )
