"""What a session's watchers are told, as Server-Sent Events and as messages of a WebSocket.

`state`, `item` and `progress` are events that can be asked for again, each with its number;
`preview` is a small picture that passes by, `gone` the end of a session that was erased.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field, JsonValue

from gateway.domain.sessions import Event, EventKind
from gateway.domain.sessions_glimpses import Glimpse
from gateway.domain.sessions_lifecycle import ENDED, State
from gateway.errors.kinds import GatewayError
from gateway.responses import safe_json
from gateway.schemas.requests import Strict
from gateway.schemas.sessions import ItemResponse, item_described
from gateway.services.results import ResultService
from gateway.services.sessions import SessionService

RETRY_MS: Final = 1000
RETRY: Final = b"retry: %d\n\n" % RETRY_MS
STILL_HERE: Final = b": still here\n\n"


class SessionStateEvent(Strict):
    """`state`: the session stands so from now on."""

    session_id: str
    at: datetime
    state: State


class SessionItemEvent(Strict):
    """`item`: an item stands so from now on; one that has ended comes with its result or error."""

    session_id: str
    at: datetime
    item: int
    state: State
    attempt: int | None = Field(default=None, description="how often it was begun")
    error_code: str | None = None
    message: str | None = None
    details: dict[str, JsonValue] | None = None
    result: ItemResponse | None = None


class SessionProgressEvent(Strict):
    """`progress`: how far an item is; `stage` is the `step`-th of `of`, or came so far itself."""

    session_id: str
    at: datetime
    item: int
    stage: str
    step: int
    of: int
    queue_position: int | None = None
    estimate_s: float | None = None


class SessionPreviewEvent(Strict):
    """`preview`: what an item is to be, small; it has no number, and comes once or never."""

    session_id: str
    item: int
    step: int
    of: int
    image: str = Field(description="a JPEG as a data URL")


EVENT_MODELS: Final = (
    SessionStateEvent,
    SessionItemEvent,
    SessionProgressEvent,
    SessionPreviewEvent,
)


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that a watcher is told; `number` is what he may resume behind."""

    name: str
    data: Mapping[str, Any]
    number: int | None = None

    def as_event(self) -> bytes:
        """As a Server-Sent Event; JSON has no line break that could end it."""
        number = b"" if self.number is None else b"id: %d\n" % self.number
        return number + b"event: %b\ndata: %b\n\n" % (self.name.encode(), safe_json(self.data))

    def as_text(self) -> str:
        """As a message of a WebSocket."""
        number = {} if self.number is None else {"id": self.number}
        return safe_json({"type": self.name, **number, **self.data}).decode()


class Narrator:
    """Tells of one owner's session."""

    def __init__(
        self, service: SessionService, results: ResultService, session_id: str, owner: str
    ) -> None:
        self._service = service
        self._results = results
        self._session_id = session_id
        self._owner = owner

    async def message(self, news: Event | Glimpse) -> Message:
        """What is told of some news; links are fresh, whenever it happened."""
        if isinstance(news, Glimpse):
            picture = b64encode(news.picture).decode("ascii")
            image = f"data:image/jpeg;base64,{picture}"
            told = {"item": news.item, "step": news.step, "of": news.of, "image": image}
            return Message("preview", {"session_id": self._session_id, **told})
        at = datetime.fromtimestamp(news.at, UTC).isoformat().replace("+00:00", "Z")
        told = {"session_id": self._session_id, "at": at, **news.data}
        if news.kind is EventKind.ITEM and news.data["state"] in ENDED:
            told |= await self._result(news)
        return Message(news.kind.value, told, news.seq)

    def gone(self) -> Message:
        """What is told when the session is erased."""
        return Message("gone", {"session_id": self._session_id})

    async def _result(self, news: Event) -> Mapping[str, Any]:
        """What came of an item; who cannot be told of it now asks for the session later."""
        try:
            session = await self._service.get(self._session_id, self._owner)
        except GatewayError:
            return {}
        item = next(one for one in session.items if one.position == news.data["item"])
        return {"result": item_described(item, self._results).model_dump(mode="json")}
