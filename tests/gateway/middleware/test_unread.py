"""Who reads slowly is waited for, who reads nothing is not."""

import asyncio

import pytest

from gateway.middleware.unread import Unread
from tests.gateway.running import HANGS_S

pytestmark = pytest.mark.anyio


class Line(asyncio.Transport):
    """A connection whose client leaves so many bytes unread, look by look; then nothing changes."""

    def __init__(self, *unread_bytes: int) -> None:
        super().__init__()
        self.to_come = list(unread_bytes)
        self.looks = 0
        self.was_cut = asyncio.Event()

    def get_write_buffer_size(self) -> int:
        self.looks += 1
        return self.to_come.pop(0) if len(self.to_come) > 1 else self.to_come[0]

    def abort(self) -> None:
        self.was_cut.set()


@pytest.mark.parametrize(
    ("unread_bytes", "looks"), [((100,), 2), ((100, 80, 50), 4), ((9, 8, 7, 6, 5), 6), ((5, 9), 2)]
)
async def test_a_connection_is_cut_when_nothing_more_was_read(
    unread_bytes: tuple[int, ...], looks: int
) -> None:
    line = Line(*unread_bytes)
    unread = Unread(asyncio.get_running_loop(), line, 0.001)
    unread.begin()
    unread.begin()  # as whoever is told twice
    async with asyncio.timeout(HANGS_S):
        await line.was_cut.wait()
    assert line.looks == looks


async def test_what_was_read_is_forgotten() -> None:
    line, other = Line(5), Line(5)
    loop = asyncio.get_running_loop()
    unread = Unread(loop, line, 0.001)
    unread.begin()
    unread.end()
    unread.end()
    Unread(loop, other, 0.002).begin()
    async with asyncio.timeout(HANGS_S):
        await other.was_cut.wait()
    assert not line.was_cut.is_set()
