"""What is answered about the pictures that a session was made with."""

from pydantic import Field

from gateway.domain.sessions import Session
from gateway.schemas.requests import Strict
from gateway.schemas.sessions import LINK_TTL_S
from gateway.services.pictures import INPUTS
from gateway.services.results import ResultService


class ItemInputs(Strict):
    """The pictures of one item."""

    item: int
    image_urls: dict[str, str] = Field(
        description="signed links by the fields they came in, good for a quarter of an hour"
    )


class InputsResponse(Strict):
    """The pictures that a session was made with, as they are kept: decoded, upright, PNG."""

    session_id: str
    items: list[ItemInputs]


def inputs_described(session: Session, results: ResultService) -> InputsResponse:
    """A session's pictures; one that several items share has one link."""
    names = {name for item in session.items for name in item.ask.pictures.values()}
    urls = {name: results.signed(INPUTS + name, LINK_TTL_S) for name in names}
    items = [
        ItemInputs(
            item=item.position, image_urls={f: urls[n] for f, n in item.ask.pictures.items()}
        )
        for item in session.items
    ]
    return InputsResponse(session_id=session.session_id, items=items)
