"""Moto's S3 in a process of its own, with writes that exclude each other, as those of S3 do.

Moto looks whether a key is free, and writes it later: of two threads that do so at once both would
be told that they were first.
"""

import io
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from threading import Lock
from typing import Any

from werkzeug.serving import run_simple

MOTO: Any = import_module("moto.server")  # its types would have mypy read all of AWS
Start = Callable[..., Any]


class OneWriteAtATime:
    """The application; what writes is read whole first, so that who is slow holds up nobody."""

    def __init__(self) -> None:
        self._app = MOTO.DomainDispatcherApplication(MOTO.create_backend_app)
        self._writing = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            return self._answer(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        with self._writing:
            return self._answer(environ, start_response)

    def _answer(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


if __name__ == "__main__":
    run_simple(
        "127.0.0.1",
        int(sys.argv[1]),
        OneWriteAtATime(),
        threaded=True,
        request_handler=MOTO.MotoRequestHandler,
    )
