"""The stream a worker answers with: self-delimiting frames, cut anywhere by the network.

A frame is one kind byte, a four-byte big-endian length, and that many bytes of payload.
A stream is any number of progress, preview and image frames, then exactly one done or error frame;
a preview belongs to the progress before it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

MEDIA_TYPE: Final = "application/vnd.vton.frames"
_HEAD: Final = struct.Struct(">cI")


class FrameKind(Enum):
    """What a frame carries; the value is the byte on the wire."""

    PROGRESS = b"P"
    PREVIEW = b"V"
    IMAGE = b"I"
    DONE = b"D"
    ERROR = b"E"


TERMINAL: Final = frozenset({FrameKind.DONE, FrameKind.ERROR})


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of the stream."""

    kind: FrameKind
    payload: bytes

    def json(self) -> Mapping[str, JsonValue]:
        """Decode the payload as a JSON object; raises BrokenStream if it is none."""
        try:
            value = json.loads(self.payload, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            message = f"frame {self.kind.name} does not hold JSON"
            raise BrokenStream(message) from error
        if not isinstance(value, dict):
            message = f"frame {self.kind.name} does not hold an object"
            raise BrokenStream(message)
        return value


def _refuse(constant: str) -> None:
    """JSON has no NaN and no infinity (RFC 8259, 6), and no database takes them."""
    raise ValueError(constant)


class BrokenStream(ValueError):
    """The bytes break the protocol; nothing after this point can be trusted."""


class FrameReader:
    """Turns chunks of any size back into frames.

    Raises BrokenStream on an unknown kind, on a payload over `max_payload_bytes`, and on anything
    after the terminal frame; `close` raises it when the stream ended too early.
    """

    def __init__(self, max_payload_bytes: int) -> None:
        self._buffer = bytearray()
        self._max_payload_bytes = max_payload_bytes
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Take the next chunk and yield every frame it completes."""
        self._buffer += chunk
        while (frame := self._take()) is not None:
            yield frame

    def close(self) -> None:
        """Say that no more bytes will come."""
        if self._buffer or not self._ended:
            message = "the stream ended without a result"
            raise BrokenStream(message)

    def _take(self) -> Frame | None:
        if self._ended and self._buffer:
            message = "the stream goes on after its end"
            raise BrokenStream(message)
        if len(self._buffer) < _HEAD.size:
            return None
        kind_byte, length = _HEAD.unpack_from(self._buffer)
        kind = self._kind(kind_byte)
        if length > self._max_payload_bytes:
            message = f"frame {kind.name} announces {length} bytes"
            raise BrokenStream(message)
        end = _HEAD.size + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_HEAD.size : end])
        del self._buffer[:end]
        self._ended = kind in TERMINAL
        return Frame(kind, payload)

    @staticmethod
    def _kind(byte: bytes) -> FrameKind:
        try:
            return FrameKind(byte)
        except ValueError:
            message = "a frame of unknown kind"
            raise BrokenStream(message) from None
