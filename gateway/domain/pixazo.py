"""The protocol of Pixazo's hosted try-on, as its documentation and its clients show it.

A request is `POST {operation}` with the subscription key in a header of Azure's API management and
links to both pictures. The answer holds the result, or the id of a request that is queued; its end
comes to the address in `X-Webhook-URL`, or is asked for at `/v2/requests/status/{id}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from pydantic import JsonValue

KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"
WEBHOOK_HEADER: Final = "X-Webhook-URL"
CALLBACK_PATH: Final = "/api/v1/engines/pixazo/callback/"
"""Where it calls us back; behind it stands the secret of one request."""
STATUS_PATH: Final = "/v2/requests/status/"
_CATEGORIES: Final = {"upper_body": "upper_body", "lower_body": "lower_body", "dresses": "dresses"}
_NAMES: Final = {"seed": "seed", "steps": "steps", "auto_crop": "crop"}
_FAILED: Final = frozenset({"FAILED", "ERROR", "CANCELLED"})
_DONE: Final = frozenset({"COMPLETED", "SUCCEEDED", "SUCCESS"})
_MOST_ID_CHARS: Final = 200


class Phase(Enum):
    """How far a request is."""

    PENDING = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Told:
    """What the service says of a request: its id while it is pending, where its picture is."""

    phase: Phase
    request_id: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is known of a request that may have to be paid: its id, and where its picture is.

    One that knows neither was sent, and what came of it is unknown.
    """

    request_id: str = ""
    url: str = ""

    @classmethod
    def parse(cls, text: str) -> Ticket | None:
        """Read one back; None where there is none."""
        return cls(**json.loads(text)) if text else None

    def __str__(self) -> str:
        return json.dumps({"request_id": self.request_id, "url": self.url})


class NotUnderstood(Exception):
    """An answer that is none of the published ones."""


def body(params: Mapping[str, JsonValue], person_url: str, garment_url: str) -> bytes:
    """The request's JSON."""
    category = _CATEGORIES[str(params.get("category", "upper_body"))]
    asked: dict[str, Any] = {
        "category": category,
        "human_img": person_url,
        "garm_img": garment_url,
        "force_dc": category == "dresses",
        "mask_only": False,
    }
    asked |= {theirs: params[ours] for ours, theirs in _NAMES.items() if ours in params}
    if described := params.get("garment_description"):
        asked["garment_des"] = described
    return json.dumps(asked).encode()


def status_path(request_id: str) -> str:
    """Where a request's state is asked for."""
    return STATUS_PATH + quote(request_id, safe="")


def read(content: bytes) -> Told:
    """What an answer, or the body of a callback, says; raises NotUnderstood."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood from error
    if not isinstance(told, dict):
        raise NotUnderstood
    status, request_id = str(told.get("status", "")).upper(), told.get("request_id", "")
    if status in _FAILED:
        return Told(Phase.FAILED)
    url = _url(told.get("output"))
    if url and (not status or status in _DONE):
        return Told(Phase.DONE, url=url)
    known = isinstance(request_id, str) and 0 < len(request_id) <= _MOST_ID_CHARS
    if not known or status in _DONE:
        raise NotUnderstood
    return Told(Phase.PENDING, request_id=request_id)


def _url(output: Any) -> str:  # noqa: ANN401 - JSON
    """The first picture of an output: a link, a list of them, or either as `media_url`."""
    if isinstance(output, dict):
        output = output.get("media_url")
    if isinstance(output, list):
        output = output[0] if output else ""
    return output if isinstance(output, str) else ""
