import io
import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.stack.lines import LinePump

printed = st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line))


def pumped(*lines: bytes) -> list[bytes]:
    sink = io.BytesIO()
    pump = LinePump("java", io.BytesIO(b"\n".join(lines) + b"\n"), sink)
    pump.run()
    return sink.getvalue().splitlines()


def test_json_passes_as_it_is() -> None:
    line = b'{"timestamp": "now", "message": "ready"}'
    assert pumped(line) == [line]


@given(printed)
def test_whatever_is_printed_comes_out_as_json(lines: list[bytes]) -> None:
    plain = [b"~" + line for line in lines]
    told = [json.loads(line) for line in pumped(*plain)]
    assert len(told) == len(plain)
    for line in told:
        assert {"timestamp", "level", "message", "request_id"} <= line.keys()
        assert line["logger"] == "java"


def test_empty_lines_are_dropped() -> None:
    assert len(pumped(b"", b"   ", b"one", b"")) == 1


def test_an_alarm_is_counted() -> None:
    source = io.BytesIO(b"fine\nLoad model failed: x\nLoad model failed: x\n")
    pump = LinePump("java", source, io.BytesIO(), alarm=b"Load model failed")
    pump.run()
    assert pump.heard == 2
