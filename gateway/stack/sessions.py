"""Sessions by REST, as a caller without a client library uses them."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.domain.sessions_lifecycle import ENDED
from gateway.stack.client import ServerAway, checked, parts_of

PATH: Final = "/api/v1/tryon/sessions"
_SILENCE_S: Final = 60.0
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_LONGEST_TOLD_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a session: its number, if it has one, its name, and what it says."""

    number: int | None
    name: str
    data: Mapping[str, Any]


class Sessions:
    """The sessions of whoever holds the token, on one server; raises TryOnRefused.

    Who watches pauses for `pause_s` before the second try, and twice as long before each further.
    """

    def __init__(self, server: str, token: str | None, pause_s: float = _PAUSE_S) -> None:
        self._server = server
        self._pause_s = pause_s
        self._headers = {} if token is None else {"X-User-Token": token}

    def create(self, pictures: Mapping[str, Path], options: Mapping[str, str]) -> dict[str, Any]:
        """Have a try-on accepted; the answer holds a token if there was none."""
        return self._json("POST", PATH, files=parts_of(pictures), data=dict(options))

    def page(self, limit: int) -> list[dict[str, Any]]:
        """The newest sessions."""
        found: list[dict[str, Any]] = self._json("GET", f"{PATH}?limit={limit}")["sessions"]
        return found

    def get(self, session_id: str) -> dict[str, Any]:
        """A session as it stands."""
        return self._json("GET", f"{PATH}/{session_id}")

    def cancel(self, session_id: str) -> dict[str, Any]:
        """End a session."""
        return self._json("POST", f"{PATH}/{session_id}/cancel")

    def delete(self, session_id: str) -> dict[str, Any]:
        """Erase a session; the receipt."""
        return self._json("DELETE", f"{PATH}/{session_id}")

    def fetch(self, url: str) -> bytes:
        """A result."""
        with self._client() as client:
            return checked(client.get(url)).content

    def watch(self, session_id: str, on_away: Callable[[str], object] = str) -> Iterator[Told]:
        """All that happens to a session, to its end; what was lost on the way is asked for anew.

        Once it has begun it waits for a server that is away; `on_away` hears why, each time.
        """
        after, pause_s, is_begun = 0, self._pause_s, False
        while True:
            try:
                for told in self._stream(session_id, after):
                    if told is None:
                        return
                    after, pause_s, is_begun = told.number or after, self._pause_s, True
                    yield told
            except ServerAway as away:
                if not is_begun:
                    raise
                on_away(str(away))
                time.sleep(max(pause_s, min(away.retry_after_s, _LONGEST_TOLD_S)))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _stream(self, session_id: str, after: int) -> Iterator[Told | None]:
        """What happens behind an event; None when nothing will any more."""
        path = f"{PATH}/{session_id}/events"
        with (
            self._client() as client,
            client.stream("GET", path, params={"after": after}) as answer,
        ):
            if not answer.is_success:
                answer.read()
            if checked(answer).status_code == HTTPStatus.NO_CONTENT:
                yield None
            for told in _events(answer.iter_lines()):
                yield told
                if told.name == "gone" or (told.name == "state" and told.data["state"] in ENDED):
                    yield None
            raise ServerAway("the stream ended before the session did")

    def _json(self, method: str, path: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401
        with self._client() as client:
            told: dict[str, Any] = checked(client.request(method, path, **body)).json()
        return told

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        with httpx.Client(
            base_url=self._server, headers=self._headers, timeout=_SILENCE_S
        ) as client:
            try:
                yield client
            except httpx.TransportError as error:
                raise ServerAway(f"{self._server} does not answer: {error}") from error


def _events(lines: Iterator[str]) -> Iterator[Told]:
    """Server-Sent Events; a block without a name is none."""
    block: dict[str, str] = {}
    for line in lines:
        if line:
            field, _, value = line.partition(": ")
            block[field] = value
            continue
        if "event" in block:
            number = int(block["id"]) if "id" in block else None
            yield Told(number, block["event"], json.loads(block["data"]))
        block = {}
