"""One try-on by REST, as a caller without a client library makes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

_TIMEOUT_S: Final = 120.0
_PASSING: Final = frozenset({429, 502, 503, 504})
_TYPES: Final = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


class TryOnRefused(Exception):
    """The server answered with an error; the message holds its code and reason."""


class ServerAway(TryOnRefused):
    """It does not answer, or not now; worth another try, in `retry_after_s` at the earliest."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class TryOnAnswer:
    """The picture, and the JSON that came before it."""

    picture: bytes
    body: dict[str, Any]


def try_on(
    server: str,
    pictures: Mapping[str, Path],
    options: Mapping[str, str],
    timeout_s: float = _TIMEOUT_S,
) -> TryOnAnswer:
    """Ask `server` for a try-on of pictures by the API's names, and fetch its result.

    Raises TryOnRefused, OSError for a file that cannot be read.
    """
    parts = parts_of(pictures)
    try:
        with httpx.Client(base_url=server, timeout=timeout_s) as client:
            asked = client.post("/api/v1/process-tryon", files=parts, data=dict(options))
            body = checked(asked).json()
            return TryOnAnswer(checked(client.get(body["result_url"])).content, body)
    except httpx.HTTPError as error:
        raise TryOnRefused(f"{server} does not answer: {error}") from error


def parts_of(pictures: Mapping[str, Path]) -> dict[str, tuple[str, bytes, str]]:
    """Pictures by the API's names as the parts of a form; raises OSError."""
    return {
        part: (file.name, file.read_bytes(), _media_type(file)) for part, file in pictures.items()
    }


def checked(answer: httpx.Response) -> httpx.Response:
    """An answer that is not an error; raises TryOnRefused with the code and reason of one."""
    if answer.is_success:
        return answer
    try:
        told = answer.json()
        why = f"{told['error_code']} {told['message']} {told['details'] or ''}"
    except (ValueError, KeyError, TypeError):
        why = f"status {answer.status_code}"
    if answer.status_code not in _PASSING:
        raise TryOnRefused(why)
    after = answer.headers.get("Retry-After", "")
    raise ServerAway(why, float(after) if after.isascii() and after.isdecimal() else 0.0)


def _media_type(path: Path) -> str:
    return _TYPES.get(path.suffix.lower(), f"image/{path.suffix[1:].lower()}")
