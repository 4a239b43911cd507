import asyncio
import threading

import pytest

from gateway.adapters.decoder import ThreadedDecoder
from gateway.domain.images import ImageLimits
from gateway.domain.uploads import Upload
from gateway.errors.kinds import Busy, ContentMismatch, StorageFailed
from tests.gateway import pictures

pytestmark = pytest.mark.anyio
LIMITS = ImageLimits(64, 50_000_000, 4.0, 2048)
UPLOAD = Upload("file", pictures.jpeg(), "image/jpeg")


async def test_more_than_fit_are_told_to_come_back() -> None:
    decoder = ThreadedDecoder(LIMITS, workers=1, queue=1)
    answers = await asyncio.gather(
        *(decoder.photo(UPLOAD) for _ in range(5)), return_exceptions=True
    )
    assert [isinstance(answer, Busy) for answer in answers] == [False, False, True, True, True]
    assert (await decoder.photo(UPLOAD)).width_px == 320
    decoder.close()


async def test_a_refusal_comes_out_of_the_thread_as_it_is() -> None:
    decoder = ThreadedDecoder(LIMITS, workers=1, queue=1)
    with pytest.raises(ContentMismatch):
        await decoder.photo(Upload("file", b"text", "image/jpeg"))
    decoder.close()


async def test_what_is_to_be_kept_is_kept_before_anybody_hears_of_the_end() -> None:
    decoder = ThreadedDecoder(LIMITS, workers=1, queue=1)
    begun, may_end, kept = threading.Event(), threading.Event(), list[bytes]()

    def keep(png: bytes) -> None:
        begun.set()
        may_end.wait(60)
        kept.append(png)

    taking = asyncio.create_task(decoder.photo(UPLOAD, keep))
    await asyncio.to_thread(begun.wait, 60)
    taking.cancel()
    await asyncio.wait({taking}, timeout=0.05)
    assert not taking.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert len(kept) == 1
    decoder.close()


async def test_what_cannot_be_kept_is_told() -> None:
    decoder = ThreadedDecoder(LIMITS, workers=1, queue=1)

    def refuse(_: bytes) -> None:
        raise StorageFailed

    with pytest.raises(StorageFailed):
        await decoder.photo(UPLOAD, refuse)
    decoder.close()
