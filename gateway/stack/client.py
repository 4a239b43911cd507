"""One try-on by REST, as a caller without a client library makes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

_TIMEOUT_S: Final = 120.0
_TYPES: Final = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


class TryOnRefused(Exception):
    """The server answered with an error; the message holds its code and reason."""


@dataclass(frozen=True, slots=True)
class TryOnAnswer:
    """The picture, and the JSON that came before it."""

    picture: bytes
    body: dict[str, Any]


def try_on(
    server: str,
    person: Path,
    garment: Path,
    options: dict[str, str],
    timeout_s: float = _TIMEOUT_S,
) -> TryOnAnswer:
    """Ask `server` for a try-on and fetch its result; raises TryOnRefused."""
    parts = {
        "user_image": (person.name, person.read_bytes(), _media_type(person)),
        "garment_image": (garment.name, garment.read_bytes(), _media_type(garment)),
    }
    try:
        with httpx.Client(base_url=server, timeout=timeout_s) as client:
            asked = client.post("/api/v1/process-tryon", files=parts, data=options)
            body = _checked(asked).json()
            return TryOnAnswer(_checked(client.get(body["result_url"])).content, body)
    except httpx.HTTPError as error:
        raise TryOnRefused(f"{server} does not answer: {error}") from error


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        told = answer.json()
        raise TryOnRefused(f"{told['error_code']} {told['message']} {told['details'] or ''}")
    except (ValueError, KeyError, TypeError):
        raise TryOnRefused(f"status {answer.status_code}") from None


def _media_type(path: Path) -> str:
    return _TYPES.get(path.suffix.lower(), f"image/{path.suffix[1:].lower()}")
