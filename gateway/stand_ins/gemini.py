"""Stands in for Gemini's `generateContent`: the published shapes, and no intelligence."""

import io
import json
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.stand_ins.faults import Faults

KEY: Final = "stand-in-gemini-key"  # no secret: it opens nothing
KEYWORDS: Final = (
    "navy linen blazer",
    "white oxford shirt",
    "camel chino trousers",
    "brown suede loafers",
    "light blue denim jacket",
    "woven leather belt",
)


@dataclass
class GeminiStandIn:
    """What it says, what it was asked, and what is to go wrong.

    `text` is said in place of the keywords as JSON; `blocks` refuses to look, as for safety.
    """

    keywords: list[object] = field(default_factory=lambda: list(KEYWORDS))
    text: str | None = None
    blocks: bool = False
    faults: Faults = field(default_factory=Faults)
    asked: list[dict[str, Any]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def routes(self) -> list[Route]:
        """Where it answers."""
        return [
            Route("/v1beta/models/{model}:generateContent", self._generate, methods=["POST"]),
        ]

    async def _generate(self, request: Request) -> Response:
        self.urls.append(str(request.url))
        if request.headers.get("x-goog-api-key") != KEY:
            return _error(400, "API key not valid.", "INVALID_ARGUMENT")
        question = await request.json()
        if fault := _fault_of(question):
            return _error(400, fault, "INVALID_ARGUMENT")
        self.asked.append(question)
        return await self.faults.applied(self._answer(request.path_params["model"]))

    def _answer(self, model: str) -> Response:
        usage = {"promptTokenCount": 1200, "candidatesTokenCount": 40, "totalTokenCount": 1240}
        about = {"usageMetadata": usage, "modelVersion": f"{model}-stand-in", "responseId": "s-1"}
        if self.blocks:
            return JSONResponse({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}} | about)
        text = json.dumps({"keywords": self.keywords}) if self.text is None else self.text
        candidate = {
            "content": {"parts": [{"text": text}], "role": "model"},
            "finishReason": "STOP",
            "index": 0,
        }
        return JSONResponse({"candidates": [candidate]} | about)


def _fault_of(question: Any) -> str | None:  # noqa: ANN401 - JSON
    """What the real service would refuse; None for a good question."""
    known = {"systemInstruction", "contents", "generationConfig"}
    if unknown := question.keys() - known:
        return f"Unknown name {sorted(unknown)}"
    told = question["generationConfig"]
    if told["responseMimeType"] != "application/json" or told["responseSchema"]["type"] != "OBJECT":
        return "responseSchema needs JSON"
    inline = question["contents"][0]["parts"][0]["inlineData"]
    with Image.open(io.BytesIO(b64decode(inline["data"], validate=True))) as picture:
        picture.verify()
        is_as_told = f"image/{(picture.format or '').lower()}" == inline["mimeType"]
    return None if is_as_told else "Unable to process input image"


def _error(status: int, message: str, name: str) -> Response:
    error = {"code": status, "message": message, "status": name}
    return JSONResponse({"error": error}, status_code=status)
