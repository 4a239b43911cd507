"""A worker's side of TorchServe without its Java: its context, and the frames it would send."""

import json
import struct
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml
from ts.context import Context, RequestProcessor
from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl

ROOT = Path(__file__).parents[2]


class FrontEnd:
    """The socket's other end: collects what the worker sends, by TorchServe's request id."""

    def __init__(self) -> None:
        self.sent: dict[str, bytes] = defaultdict(bytes)

    def sendall(self, message: bytes) -> None:
        """Take one message of TorchServe's binary protocol apart."""
        reader = _Reader(bytes(message))
        reader.number(), reader.text()  # overall code and message
        while (length := reader.number()) != -1:
            request_id = reader.take(length).decode()
            reader.text(), reader.number(), reader.text()  # type, status, phrase
            for _ in range(reader.number()):
                reader.text(), reader.text()
            self.sent[request_id] += reader.take(reader.number())

    def frames(self, index: int) -> list[tuple[str, Any]]:
        """Give the frames of the `index`-th row: kind, and JSON or bytes."""
        return read_frames(self.sent[f"row-{index}"])


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, length: int) -> bytes:
        taken, self._data = self._data[:length], self._data[length:]
        return taken

    def number(self) -> int:
        return int(struct.unpack("!i", self.take(4))[0])

    def text(self) -> str:
        return self.take(self.number()).decode()


def read_frames(data: bytes) -> list[tuple[str, Any]]:
    """Unpack a whole stream; it must end with the last frame's last byte."""
    frames: list[tuple[str, Any]] = []
    while data:
        kind, length = chr(data[0]), struct.unpack("!I", data[1:5])[0]
        payload, data = data[5 : 5 + length], data[5 + length :]
        assert len(payload) == length
        frames.append((kind, payload if kind in ("I", "V") else json.loads(payload)))
    return frames


def config() -> dict[str, Any]:
    """Read the shipped model configuration."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "config" / "geometric.yaml").read_text())
    return read


def context(
    rows: int, *headers: Mapping[str, str], model_yaml: Mapping[str, Any] | None = None
) -> tuple[Any, FrontEnd]:
    """Make TorchServe's own context for a batch of `rows`, and the front end it talks to."""
    metrics = MetricsCacheYamlImpl(str(ROOT / "config" / "metrics.yaml"))
    metrics.initialize_cache()
    made = Context(
        "geometric",
        token_hex(8),
        {"model": {"modelVersion": "1.2.3"}},
        4,
        None,
        "0.12.0",
        metrics=metrics,
        model_yaml_config=config() if model_yaml is None else model_yaml,
    )
    made.request_ids = {index: f"row-{index}" for index in range(rows)}
    given = [*headers, *({} for _ in range(rows - len(headers)))]
    made.request_processor = [RequestProcessor(dict(one)) for one in given]
    made.cl_socket = front_end = FrontEnd()
    return made, front_end
