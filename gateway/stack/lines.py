"""The children's output, line by line: what is not JSON becomes JSON on its way through.

Java and native libraries print what no logging configuration reaches.
"""

import json
import threading
from datetime import UTC, datetime
from typing import IO, Final

_writing: Final = threading.Lock()


class LinePump(threading.Thread):
    """Copies `source` to `sink` until `source` ends; lines of all pumps stay whole.

    `heard` counts the lines that hold `alarm`.
    """

    def __init__(
        self, name: str, source: IO[bytes], sink: IO[bytes], alarm: bytes | None = None
    ) -> None:
        super().__init__(name=f"lines of {name}", daemon=True)
        self._from = name
        self._source = source
        self._sink = sink
        self._alarm = alarm
        self.heard = 0

    def run(self) -> None:
        """Copy every line as it comes."""
        for line in self._source:
            if self._alarm and self._alarm in line:
                self.heard += 1
            if text := line.strip():
                self._write(text if text.startswith(b"{") else self._wrapped(text))
        self._source.close()

    def _write(self, line: bytes) -> None:
        with _writing:
            self._sink.write(line + b"\n")
            self._sink.flush()

    def _wrapped(self, text: bytes) -> bytes:
        told = {
            "timestamp": datetime.now(UTC).isoformat("T", "milliseconds"),
            "level": "info",
            "message": text.decode(errors="replace"),
            "request_id": "",
            "logger": self._from,
        }
        return json.dumps(told).encode()
