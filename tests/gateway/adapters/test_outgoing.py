import gzip
import tracemalloc
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from gateway.adapters.outgoing import Outgoing
from gateway.domain.webhooks import Unreachable
from tests.gateway.receiver import Receiver, receiving
from tests.servers.process import held_port

pytestmark = pytest.mark.anyio

_ZEROS: Final = gzip.compress(bytes(64 << 20), 9, mtime=0)
_BROTLI: Final = "z///f/gnAOKxQCD3/p/////wTwDEYQGA7v0/////4Z8AiMMiAN37f/7//8M/ARCHBQC69/8D"
_PACKED: Final = [
    ("gzip", _ZEROS),
    ("gzip, gzip", gzip.compress(_ZEROS)),
    ("br", b64decode(_BROTLI)),
]


class Names:
    """A name server that answers each question with the next of its answers."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        if not self.answers:
            raise OSError("unknown")
        return self.answers.pop(0)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def by_name(receiver: Receiver) -> str:
    return f"http://hooks.example:{urlsplit(receiver.url).port}/hook"


async def test_a_call_arrives_as_it_was_made(receiver: Receiver) -> None:
    receiver.answer = b"thanks"
    async with Outgoing(60, 100, allow_private=True) as outgoing:
        answer = await outgoing.call("POST", receiver.url + "/hook", {"X-One": "1"}, b"body")
    assert (answer.status, answer.body) == (200, b"thanks")
    (received,) = receiver.received
    assert (received.method, received.path, received.body) == ("POST", "/hook", b"body")
    assert received.headers["x-one"] == "1"
    assert "cookie" not in received.headers


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
)
async def test_this_machine_is_not_called_by_whatever_name(receiver: Receiver, host: str) -> None:
    url = f"http://{host}:{urlsplit(receiver.url).port}/"
    async with Outgoing(60, 100) as outgoing:
        with pytest.raises(Unreachable):
            await outgoing.call("POST", url, {})
    assert receiver.received == []


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["10.0.0.1"], []]
)
async def test_a_name_with_one_address_that_is_not_public_is_not_called(
    receiver: Receiver, addresses: list[str]
) -> None:
    async with Outgoing(60, 100, lookup=Names(addresses)) as outgoing:
        with pytest.raises(Unreachable, match="not public"):
            await outgoing.call("POST", by_name(receiver), {})
    assert receiver.received == []


async def test_the_address_that_was_checked_is_the_one_that_is_called(receiver: Receiver) -> None:
    """The name server answers once; the connection does not ask it again."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    is_allowed = ["127.0.0.1"].__contains__
    async with Outgoing(60, 100, lookup=names, is_allowed=is_allowed) as outgoing:
        await outgoing.call("POST", by_name(receiver), {})
        assert names.asked == ["hooks.example"]
        (received,) = receiver.received
        assert received.headers["host"].startswith("hooks.example:")
        with pytest.raises(Unreachable, match="not public"):
            await outgoing.call("POST", by_name(receiver), {})
    assert len(receiver.received) == 1


async def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    names = Names(["127.0.0.3", "127.0.0.1"])
    async with Outgoing(60, 100, lookup=names, allow_private=True) as outgoing:
        assert (await outgoing.call("POST", by_name(receiver), {})).status == 200


async def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    receiver.statuses.append(302)
    receiver.headers.append((b"location", receiver.url.encode() + b"/elsewhere"))
    async with Outgoing(60, 100, allow_private=True) as outgoing:
        assert (await outgoing.call("POST", receiver.url, {})).status == 302
    assert len(receiver.received) == 1


async def test_an_answer_beyond_the_limit_is_none(receiver: Receiver) -> None:
    receiver.answer = b"x" * 101
    async with Outgoing(60, 100, allow_private=True) as outgoing:
        with pytest.raises(Unreachable, match="too large"):
            await outgoing.call("POST", receiver.url, {})


@pytest.mark.parametrize(("coding", "packed"), _PACKED)
async def test_an_answer_is_never_unpacked(receiver: Receiver, coding: str, packed: bytes) -> None:
    """64 MB of zeros are 65 kB in gzip, 269 bytes in gzip twice and 54 in Brotli."""
    receiver.answer = packed
    receiver.headers.append((b"content-encoding", coding.encode()))
    async with Outgoing(60, 1 << 17, allow_private=True) as outgoing:
        tracemalloc.start()
        try:
            with pytest.raises(Unreachable, match="packed"):
                await outgoing.call("POST", receiver.url, {})
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()
    (received,) = receiver.received
    assert received.headers["accept-encoding"] == "identity"


async def test_identity_is_no_coding(receiver: Receiver) -> None:
    receiver.answer = b"thanks"
    receiver.headers.append((b"content-encoding", b"Identity"))
    async with Outgoing(60, 100, allow_private=True) as outgoing:
        assert (await outgoing.call("POST", receiver.url, {})).body == b"thanks"


async def test_a_receiver_that_says_nothing_is_given_up(receiver: Receiver) -> None:
    receiver.is_silent = True
    async with Outgoing(0.05, 100, allow_private=True) as outgoing:
        with pytest.raises(Unreachable, match="in time"):
            await outgoing.call("POST", receiver.url, {})


@pytest.mark.parametrize(
    "url", ["http://unknown.example/", "http://[::1/", "nonsense", "ftp://8.8.8.8/", "http://"]
)
async def test_what_cannot_be_called_says_so_without_a_word_of_the_address(url: str) -> None:
    async with Outgoing(60, 100, lookup=Names()) as outgoing:
        with pytest.raises(Unreachable) as caught:
            await outgoing.call("POST", url, {})
    assert "example" not in str(caught.value)


async def test_nobody_there_is_no_connection() -> None:
    async with Outgoing(60, 100, allow_private=True) as outgoing:
        with held_port() as nobody:
            url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
            with pytest.raises(Unreachable, match="no connection"):
                await outgoing.call("POST", url, {})
