import json
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.frames import BrokenStream, Frame, FrameKind, FrameReader

MAX_BYTES = 4096
passing = st.sampled_from([FrameKind.PROGRESS, FrameKind.IMAGE])
terminal = st.sampled_from([FrameKind.DONE, FrameKind.ERROR])
payloads = st.binary(max_size=200)
streams = st.builds(
    lambda frames, last: [*frames, last],
    st.lists(st.builds(Frame, passing, payloads), max_size=6),
    st.builds(Frame, terminal, payloads),
)


def packed(frames: list[Frame]) -> bytes:
    return b"".join(
        frame.kind.value + struct.pack("!I", len(frame.payload)) + frame.payload for frame in frames
    )


def read(chunks: list[bytes]) -> list[Frame]:
    reader = FrameReader(MAX_BYTES)
    frames = [frame for chunk in chunks for frame in reader.feed(chunk)]
    reader.close()
    return frames


@given(streams, st.lists(st.integers(0, 1500), max_size=20))
def test_any_split_gives_the_same_frames(frames: list[Frame], cuts: list[int]) -> None:
    raw = packed(frames)
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    chunks = [raw[start:end] for start, end in pairwise(edges)]
    assert read(chunks) == frames


@given(streams, st.data())
def test_a_stream_cut_anywhere_is_a_failure(frames: list[Frame], data: st.DataObject) -> None:
    raw = packed(frames)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(BrokenStream):
        read([raw[:cut]])


@given(streams, st.binary(min_size=1, max_size=40))
def test_nothing_may_follow_the_end(frames: list[Frame], more: bytes) -> None:
    with pytest.raises(BrokenStream):
        read([packed(frames), more])


@given(st.binary(min_size=5, max_size=300))
def test_garbage_never_crashes_the_reader(raw: bytes) -> None:
    try:
        read([raw])
    except BrokenStream:
        return


def test_an_announced_size_over_the_limit_is_refused_before_it_arrives() -> None:
    reader = FrameReader(MAX_BYTES)
    with pytest.raises(BrokenStream, match="announces 4294967295 bytes"):
        list(reader.feed(b"I\xff\xff\xff\xff"))


@pytest.mark.parametrize("payload", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
def test_a_json_frame_that_holds_no_object_is_broken(payload: bytes) -> None:
    with pytest.raises(BrokenStream):
        Frame(FrameKind.DONE, payload).json()


def test_a_json_frame_gives_its_object() -> None:
    frame = Frame(FrameKind.DONE, json.dumps({"engine": "geometric"}).encode())
    assert frame.json() == {"engine": "geometric"}
