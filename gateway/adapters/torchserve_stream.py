"""The stream of one answer: read up to its last frame, then led to its end beside the request.

TorchServe ends the streams of a batch together, so the end may come seconds after the last frame.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import httpx

from gateway.adapters.torchserve_answers import error_of_frame, progress_of_frame
from gateway.domain.frames import TERMINAL, BrokenStream, Frame, FrameKind, FrameReader
from gateway.domain.jobs import Prediction, Progress
from gateway.errors.kinds import GatewayError, InferenceFailed, Unfit
from gateway.ports.models import OnProgress

_NEWS: Final = frozenset({FrameKind.PROGRESS, FrameKind.PREVIEW})


class Endings:
    """Answered streams on their way to the end, so that their connections can be used again."""

    def __init__(self) -> None:
        self._ending: set[asyncio.Task[None]] = set()

    def add(self, response: httpx.Response, rest: AsyncIterator[bytes], patience_s: float) -> None:
        """Read what is left of a response, without waiting for it here.

        One that takes longer than `patience_s` is let go together with its connection.
        """
        task = asyncio.create_task(_read(response, rest, patience_s))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def all(self) -> None:
        """Wait until there is none left."""
        await asyncio.gather(*self._ending)


async def _read(response: httpx.Response, rest: AsyncIterator[bytes], patience_s: float) -> None:
    with suppress(httpx.HTTPError, httpx.StreamError, TimeoutError):
        async with asyncio.timeout(patience_s):
            async for _ in rest:
                pass
    await response.aclose()


async def answer_of(
    chunks: AsyncIterator[bytes], reader: FrameReader, on_progress: OnProgress | None
) -> list[Frame]:
    """Read up to the frame that ends the answer: the images, then that frame.

    Raises BrokenStream when the stream ends without one, or breaks the protocol.
    """
    frames: list[Frame] = []
    progress: Progress | None = None
    async for chunk in chunks:
        for frame in reader.feed(chunk):
            if frame.kind not in _NEWS:
                frames.append(frame)
            elif on_progress is not None:
                progress = _told(frame, progress)
                on_progress(progress)
        if frames and frames[-1].kind in TERMINAL:
            break
    reader.close()
    return frames


def _told(frame: Frame, before: Progress | None) -> Progress:
    """The progress that a frame tells; a preview belongs to the progress before it."""
    if frame.kind is FrameKind.PROGRESS:
        return progress_of_frame(frame)
    if before is None:
        raise BrokenStream("a preview before any progress")
    return replace(before, preview=frame.payload)


def prediction_of(answer: Sequence[Frame], *, is_shown: bool = True) -> Prediction:
    """What an answer says.

    Raises the worker's error, and for an answer without a picture, unless none `is_shown`,
    InferenceFailed, or Unfit when every picture was kept back.
    """
    *images, last = answer
    if last.kind is FrameKind.ERROR:
        raise error_of_frame(last)
    if not images and is_shown:
        raise _nothing_to_show(last)
    return Prediction(tuple(image.payload for image in images), last.json())


def _nothing_to_show(last: Frame) -> GatewayError:
    blocked = last.json().get("blocked")
    if not blocked:
        return InferenceFailed()
    told = "The safety checker kept every picture back: try another seed."
    return Unfit(told, details={"reason": "blocked", "blocked": blocked})
